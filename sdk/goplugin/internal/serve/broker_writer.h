#ifndef GOPLUGIN_INTERNAL_SERVE_BROKER_WRITER_H_
#define GOPLUGIN_INTERNAL_SERVE_BROKER_WRITER_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/sync_stream.h>

#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/loop/worker.h"
#include "goplugin/wire/broker.pb.h"

namespace goplugin::internal {

// What the plugin says on one stream of the broker's. It is written on a thread
// of its own: a host that does not read stops nobody but that.
//
// Thread-safe. Outlives its stream, for those who send on it.
class BrokerWriter {
 public:
  using Stream = grpc::ServerReaderWriter<wire::ConnInfo, grpc::ByteBuffer>;

  // Messages that wait for a host that does not read: with kMaxMessages of them
  // none is taken any more, with kMaxAnswers no answer to a knock, and with
  // kManyAnswers the host is not read.
  static constexpr size_t kMaxMessages = 2048;
  static constexpr size_t kMaxAnswers = 1536;
  static constexpr size_t kManyAnswers = 256;

  explicit BrokerWriter(Stream* stream)
      : stream_(stream), worker_("goplugin-broker") {}

  // kResources where the system gave no thread: nothing is written.
  const absl::Status& status() const { return worker_.status(); }

  // kResourceExhausted when too many wait; kUnavailable when the stream has
  // ended. Never blocks.
  absl::Status Write(const wire::ConnInfo& info) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits while the host has many answers to take; the stream's end ends it.
  void WaitForAnswers() ABSL_LOCKS_EXCLUDED(mutex_);
  // The stream is over. Waits for a write under way, which its end ends.
  void Detach() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void WriteNow(const wire::ConnInfo& info) ABSL_LOCKS_EXCLUDED(mutex_);
  bool MayRead() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return answers_ < kManyAnswers || !open_;
  }
  bool Idle() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !writing_; }

  Stream* const stream_;
  absl::Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = true;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t answers_ ABSL_GUARDED_BY(mutex_) = 0;  // of these
  // Last: it goes first.
  Worker worker_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_BROKER_WRITER_H_

#ifndef GOPLUGIN_INTERNAL_SERVE_STDIO_SERVICE_H_
#define GOPLUGIN_INTERNAL_SERVE_STDIO_SERVICE_H_

#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/serve/stdout_buffer.h"
#include "goplugin/wire/stdio.pb.h"

namespace goplugin::internal {

// Serves /plugin.GRPCStdio/StreamStdio: what the plugin prints, to the host.
//
// One stream at a time gets the output: the newest. The one before it is ended
// with ABORTED, or cancelled if it does not take what was written to it: it
// belongs to a host that was replaced or has lost it. What a stream did not
// take goes to the next.
//
// Thread safety: all methods may be called from any thread.
// Lifetime: must outlive the server it is registered with.
class StdioService : public grpc::Service {
 public:
  explicit StdioService(std::size_t buffer_bytes);

  // Keeps `data` for the host. Never blocks.
  void Append(absl::string_view data) ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until gRPC has taken all that was appended for the host that reads,
  // at most `timeout`. True at once when nobody reads any more; a first reader
  // is waited for a moment, once, if there is something to read.
  bool Flush(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the stream after what it has still to send, and any later one.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Stream;

  grpc::ServerWriteReactor<wire::StdioData>* Open(
      grpc::CallbackServerContext* context) ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives the reading stream its next message or its end, if there is one and
  // no write is under way.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  StdoutBuffer buffer_ ABSL_GUARDED_BY(mutex_);
  // The stream that gets the output; nullptr while nobody reads. Owned by gRPC.
  Stream* reader_ ABSL_GUARDED_BY(mutex_) = nullptr;
  // A write is under way, on reader_ or on the one before it. There is one at a
  // time, so that a piece which comes back is still the oldest.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  // Until somebody has read, or Flush has waited for it.
  bool first_reader_awaited_ ABSL_GUARDED_BY(mutex_) = true;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_STDIO_SERVICE_H_

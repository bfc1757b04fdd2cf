#ifndef GOPLUGIN_INTERNAL_SERVE_STDIO_SERVICE_H_
#define GOPLUGIN_INTERNAL_SERVE_STDIO_SERVICE_H_

#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/serve/stdout_buffer.h"
#include "goplugin/internal/versions/steady_condition.h"
#include "goplugin/wire/stdio.pb.h"

namespace goplugin::internal {

// Serves /plugin.GRPCStdio/StreamStdio: what the plugin prints, to the host.
//
// One stream at a time gets the output: the newest. The one before it is ended
// with ABORTED, or cancelled if it does not take what was written to it: it
// belongs to a host that was replaced or has lost it. What gRPC did not take
// for a stream goes to the next; what it took, and the host has not read, is
// lost.
//
// Thread safety: all methods may be called from any thread.
// Lifetime: must outlive the server it is registered with.
class StdioService : public grpc::Service {
 public:
  explicit StdioService(std::size_t buffer_bytes);

  // Keeps `data` for the host; after Close it is lost. Never blocks.
  void Append(absl::string_view data) ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until gRPC has taken all that was appended so far, for a host that
  // reads, at most `timeout`. True at once when nobody reads any more; a first
  // reader is waited for a moment, once, if there is something to read.
  bool Flush(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the stream after what was appended before, and any later one. Where
  // the last Flush has waited in vain it cuts them off: a host that does not
  // read would hold up the server's shutdown.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Writer = grpc::ServerWriter<wire::StdioData>;

  // One call of StreamStdio.
  grpc::Status Stream(grpc::ServerContext& context, Writer& writer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Begin(grpc::ServerContext& context) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for the next piece, and counts it as being written. Or says how the
  // call ends.
  absl::optional<grpc::Status> Next(grpc::ServerContext& context,
                                    std::string& piece)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // For the reader: it gets no more.
  grpc::Status Leave(grpc::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnWritten(const grpc::ServerContext& context, absl::string_view piece,
                 bool written) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Mutex mutex_;
  SteadyCondition changed_;
  StdoutBuffer buffer_ ABSL_GUARDED_BY(mutex_);
  // The call that gets the output; nullptr while nobody reads.
  grpc::ServerContext* reader_ ABSL_GUARDED_BY(mutex_) = nullptr;
  // The call on which a write is under way: the reader, or one before it. There
  // is one at a time, so that a piece which comes back is still the oldest.
  grpc::ServerContext* writing_ ABSL_GUARDED_BY(mutex_) = nullptr;
  // How many of the bytes appended gRPC has taken, or were told as dropped.
  std::uint64_t written_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  // The last Flush has waited in vain.
  bool overdue_ ABSL_GUARDED_BY(mutex_) = false;
  // Until somebody has read, or Flush has waited for it.
  bool first_reader_awaited_ ABSL_GUARDED_BY(mutex_) = true;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_STDIO_SERVICE_H_

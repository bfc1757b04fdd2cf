#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_STDIO_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_STDIO_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/seldom.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/internal/start/plugin_output.h"

namespace goplugin::internal {

// A session's output stream (GRPCStdio) for the life of the plugin. Where it is
// cut it is opened again: at most once a second, and ever less often while it
// fails, down to twice a minute. A go-plugin server goes on where it was, but
// for what was on its way.
//
// Lives on the loop's thread, in a shared_ptr.
class SessionStdio : public std::enable_shared_from_this<SessionStdio> {
 public:
  struct Setup {
    EventLoop& loop;
    std::shared_ptr<PluginOutput> output = nullptr;
    // Grows while the sink moves (StdioCallbacks).
    std::function<std::uint64_t()> progress = nullptr;
    // What a stream holds until its end.
    std::function<std::shared_ptr<void>()> begin_work = nullptr;
    // Asked before it is opened again: not of a plugin that is on its way out.
    std::function<bool()> wanted = nullptr;
  };

  explicit SessionStdio(Setup setup)
      : setup_(std::move(setup)), again_(setup_.loop) {}

  // Once. The queue outlives the streams.
  void Open(CallQueue& queue, std::shared_ptr<grpc::Channel> channel);
  // It is in the way: closed until Resume. False when there is none.
  bool Suspend();
  void Resume();
  // The plugin is about to go: nothing is opened any more, and what is open
  // waits for no sink.
  void EndIsNear();
  // Lets go of the stream, and of the channel.
  void End();

 private:
  void Start();
  void StartAgain();
  void OnEnd(int opening, const grpc::Status& status);
  void TellCut() const;

  const Setup setup_;
  CallQueue* queue_ = nullptr;
  std::shared_ptr<grpc::Channel> channel_;
  CallHandle stream_;
  // Counts the streams: what an older one says is not of interest.
  int opening_ = 0;
  bool open_ = false;
  bool ending_ = false;
  Stopwatch since_opening_;
  // Until the next try after one that failed.
  absl::Duration patience_ = absl::ZeroDuration();
  Timer again_;
  // Cuts, and what the last one said.
  Seldom cuts_;
  grpc::Status cut_;
  bool untold_ = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_STDIO_H_

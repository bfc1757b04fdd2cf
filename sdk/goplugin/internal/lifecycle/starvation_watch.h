#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_STARVATION_WATCH_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_STARVATION_WATCH_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/rpc/unary_call.h"

namespace goplugin::internal {

// Whether a plugin answers beside the two streams that are kept open to it. One
// that answers few calls at once (a Python server with one or two threads, a
// limit of concurrent streams) has nothing left for calls: they would hang.
//
//   kOpen ----------> kWithoutOutput ----------> kWithoutBoth ----> kStuck
//     |  unanswered for 2 s   |   and 2 s more         |  and more     |
//     answered: stays here    +--- answered: kOver ----+               |
//     ^                            it stays closed           answered: |
//     +----------------------------------------------------------------+
//
// One that answers without its output may have been late by itself: a call that
// blocks the only thread of a runtime (Rust, Node), a machine that stood still.
// The output is opened again, and it is asked once more; what is not answered
// then is starved.
//
// "Unanswered" is a health check: a Ping of the user's, or the one that is made
// as the streams are opened. Of the latter RESOURCE_EXHAUSTED is no answer, but
// as good as 2 s without one: a limit of concurrent calls. The broker's stream,
// which a Go plugin takes once, is closed only where nothing has ever been
// answered beside it, nor said on it. Where closing did not help, the output is
// opened again, and nothing is tried until an answer comes: it may be at work,
// with calls of the user's before any health check.
//
// Time is counted in ticks of half a second, so that a host that stood still
// does not blame its plugin; those in which the plugin was stopped (SIGSTOP, a
// debugger) don't count. One whose health check took its time before there were
// any streams gets twice that more: it is slow, and not for want of threads.
//
// One that was late by itself (it answers when both are open again) has twice
// as long from then on: it would see its streams closed and opened for ever.
//
// A call that the user began before the streams may have the only thread. The
// broker's stream is left alone for as long as it is under way, up to 20 s.
//
// Lives on the loop's thread, in a shared_ptr.
class StarvationWatch : public std::enable_shared_from_this<StarvationWatch> {
 public:
  struct Setup {
    EventLoop& loop;
    // For looks at /proc.
    std::shared_ptr<Lane> steps = nullptr;
    // -1 when it is not known.
    pid_t pid = -1;
    // How long the plugin took to answer before its streams were opened.
    absl::Duration first_answer = absl::ZeroDuration();
    // Whether a call from before the streams is under way.
    std::function<bool()> early_call = nullptr;
    // Where a check is made, on what, and what it holds until its end.
    std::function<CallPlace()> control = nullptr;
    std::function<std::shared_ptr<grpc::Channel>()> channel = nullptr;
    std::function<std::shared_ptr<void>()> begin_work = nullptr;
    // False where there is nothing to close.
    std::function<bool()> close_output = nullptr;
    std::function<void()> open_output = nullptr;
    std::function<bool()> close_broker = nullptr;
    // What explains calls that hang; "" for nothing.
    std::function<void(std::string)> explain = nullptr;
    // An entry.
    std::function<void(std::string)> warn = nullptr;
  };

  explicit StarvationWatch(Setup setup);

  // The streams were opened. Once.
  void Start();
  // Somebody asks whether the plugin serves, and has got this status.
  void OnAsked();
  void OnAnswer(const grpc::Status& status);
  // No more.
  void End();

 private:
  enum class State { kOpen, kWithoutOutput, kWithoutBoth, kStuck, kOver };

  void Check();
  void StartTicks();
  void Tick();
  void OnTick(bool stopped);
  bool IsExcused();
  // Something was asked, or closed.
  bool IsWaiting() const;
  void OnUnanswered();
  void OnRefused();
  void OnHelped();
  void OnStuck();
  void OpenAgain();
  void BePatient();

  const Setup setup_;
  // In ticks.
  std::int64_t patience_;
  State state_ = State::kOpen;
  CallHandle check_;
  // Which check that is.
  int checks_ = 0;
  // Health checks under way.
  int asked_ = 0;
  bool ever_answered_ = false;
  bool refused_ = false;
  // Its output was opened again, and the check since then is not answered yet.
  bool doubted_ = false;
  Timer tick_;
  bool ticking_ = false;  // until the tick has looked at the plugin
  // Ticks since there was an answer, or one was asked for.
  std::int64_t ticks_ = 0;
  // Ticks without the output and with an early call.
  std::int64_t excused_ = 0;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_STARVATION_WATCH_H_

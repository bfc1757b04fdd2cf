#include "goplugin/internal/lifecycle/shutdown_ladder.h"

#include <signal.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/rpc/controller.h"
#include "goplugin/internal/rpc/health.h"

namespace goplugin::internal {
namespace {

// Between the answer and the drop of the channel: what the plugin still prints
// over GRPCStdio needs the connection.
constexpr absl::Duration kLinger = absl::Milliseconds(300);
// What SIGKILL takes at least to have its effect.
constexpr absl::Duration kLeastKillTime = absl::Milliseconds(100);
// Until it is looked again whether its exit is told.
constexpr absl::Duration kSoon = absl::Milliseconds(100);
// When a call that has not ended at its deadline is taken for stuck.
constexpr absl::Duration kStuckCall = absl::Milliseconds(500);

}  // namespace

void ShutdownLadder::Start(const CallPlace& place,
                           const std::shared_ptr<grpc::Channel>& channel,
                           std::shared_ptr<void> work) {
  process_.OnAsked();
  stdin_closed_ = process_.CloseStdin();
  if (stdin_closed_) Record("its stdin was closed");
  // gRPC ends the call in time, unless an interceptor is in the way.
  timer_.Start(options_.rpc_timeout + kStuckCall, [this] {
    OnAnswer(grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED,
                          "an interceptor of the host's holds the call up"));
  });
  call_ =
      CallShutdown(place, channel, options_.rpc_timeout,
                   [self = shared_from_this(), work = std::move(work)](
                       const grpc::Status& status) mutable {
                     // Handed on, not shared: timers must be destroyed on the
                     // loop.
                     EventLoop& loop = self->runtime_.loop();
                     loop.Post([self = std::move(self), work = std::move(work),
                                status] { self->OnAnswer(status); });
                   });
}

void ShutdownLadder::OnAnswer(const grpc::Status& status) {
  // It holds the channel, whose connection may be what the plugin waits for.
  call_ = CallHandle();
  answered_ = status.ok();
  if (step_ != Step::kAsk) return;  // killed or over meanwhile
  Record(absl::StrCat("the Shutdown call: ",
                      status.ok() ? "answered" : DescribeGrpcStatus(status)));
  asked_ = status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE;
  if (!asked_ && !process_.controllable()) return callbacks_.let_go();
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    has_controller_ = false;
    callbacks_.drop_channel();
    // It may have taken the end of its stdin.
    return stdin_closed_ ? WaitForExit() : Terminate();
  }
  Linger();
}

void ShutdownLadder::Linger() {
  step_ = Step::kLinger;
  timer_.Start(std::min(kLinger, options_.exit_timeout), [this] {
    callbacks_.drop_channel();
    if (!process_.controllable()) return callbacks_.let_go();
    WaitForExit();
  });
}

void ShutdownLadder::After(absl::Duration time, std::function<void()> step) {
  timer_.Start(time, [this, step = std::move(step)] {
    // It has ended, and needs no further step.
    if (process_.awaits_others()) return After(kSoon, step);
    step();
  });
}

void ShutdownLadder::WaitForExit() {
  step_ = Step::kWait;
  After(options_.exit_timeout - std::min(kLinger, options_.exit_timeout),
        [this] { Terminate(); });
}

void ShutdownLadder::Terminate() {
  forced_ = has_controller_ || stdin_closed_;
  if (!process_.takes_signals()) return SendKill();
  step_ = Step::kTerminate;
  terminated_ = true;
  Record("SIGTERM");
  process_.Signal(SIGTERM);
  After(options_.terminate_timeout, [this] {
    forced_ = true;
    SendKill();
  });
}

void ShutdownLadder::Kill() {
  if (step_ != Step::kKill && step_ != Step::kOver) SendKill();
}

void ShutdownLadder::SendKill() {
  step_ = Step::kKill;
  killed_ = true;
  Record(KillName());
  process_.Signal(SIGKILL);
  After(std::max(options_.kill_timeout, kLeastKillTime), [this] {
    gave_up_ = true;
    Record("still there");
    callbacks_.give_up();
  });
}

void ShutdownLadder::Stop() {
  step_ = Step::kOver;
  timer_.Cancel();
  call_.Cancel();
}

bool IsStop(const ExitStatus& status) {
  constexpr int kOfSignal = 128;  // as shells have it
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    if (status.kind == ExitStatus::Kind::kSignalled && status.value == signal) {
      return true;
    }
    if (status.kind == ExitStatus::Kind::kExited &&
        status.value == kOfSignal + signal) {
      return true;
    }
  }
  return false;
}

bool IsOrderlyExit(const ExitStatus& status) {
  return status.kind == ExitStatus::Kind::kExited && status.value == 0;
}

absl::Status ShutdownLadder::result() const {
  ErrorDetails details;
  if (!process_.controllable()) {
    if (asked_) return absl::OkStatus();
    details.reason = Reason::kNoProcessControl;
    details.what =
        "the plugin did not take its Shutdown call, and its process "
        "is out of reach";
    details.evidence = steps_;
    details.hint = "whoever runs the plugin has to end it";
    return MakeError(details);
  }
  if (!forced_ && !gave_up_) return absl::OkStatus();
  details.reason = Reason::kShutdownForced;
  details.evidence = steps_;
  if (!process_.trouble().empty()) {
    details.evidence.push_back(process_.trouble());
  }
  if (gave_up_) {
    details.what =
        absl::StrCat("the plugin did not end, not even after ", KillName());
    details.hint =
        process_.takes_signals()
            ? "it hangs in the kernel, on a dead network file system for one; "
              "it ends when that call returns"
            : "end it by the means of what the runner started it with; the "
              "runner's exit_fd must become readable when it has ended";
  } else {
    details.what =
        absl::StrCat("the plugin did not end by itself and was ended by ",
                     process_.takes_signals() ? "a signal" : KillName());
    details.hint =
        "it must exit soon after its Shutdown call; give it more time with "
        "ClientOptions::shutdown if it has work to finish";
  }
  return MakeError(details);
}

bool ShutdownLadder::CameTooLate(const ExitStatus& status) const {
  if (answered_ || terminated_ || stdin_closed_) return false;
  // Whoever stops the host may well stop its plugins at the same time.
  if (IsStop(status)) return false;
  // However a runner's Kill may look in the status.
  if (killed_ && !process_.takes_signals()) return false;
  switch (status.kind) {
    case ExitStatus::Kind::kUnknown:
      return false;
    case ExitStatus::Kind::kExited:
      // A plugin may well go without an answer.
      return status.value != 0;
    case ExitStatus::Kind::kSignalled:
      return !(killed_ && status.value == SIGKILL);
  }
  return false;
}

const char* ShutdownLadder::KillName() const {
  return process_.takes_signals() ? "SIGKILL" : "its runner's Kill";
}

void ShutdownLadder::Record(const std::string& what) {
  steps_.push_back(
      absl::StrCat("after ", InMilliseconds(stopwatch_.Elapsed()), ": ", what));
}

}  // namespace goplugin::internal

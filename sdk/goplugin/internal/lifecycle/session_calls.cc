#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/lifecycle/crash.h"
#include "goplugin/internal/lifecycle/process_control.h"
#include "goplugin/internal/lifecycle/session.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/rpc/health.h"

// What the host's threads ask of a session, and wait for.

namespace goplugin::internal {
namespace {

// How long a failed call waits for the exit that may have caused it.
constexpr absl::Duration kExplainWait = absl::Seconds(1);

}  // namespace

absl::StatusOr<ReattachConfig> Session::Detach() {
  absl::Status status = CheckMayBlock();
  if (status.ok()) status = state_->may_detach;
  if (!status.ok()) return status;
  if (!state_->ended()) {
    runtime_->loop().Post([self = shared_from_this()] {
      // It may have ended since.
      if (self->at_ != State::kLive) return;
      // Asked to exit, it is past being left running.
      if (self->keeper_->state() == PluginKeeper::State::kHolding) {
        self->keeper_->Release();
      }
    });
    state_->WaitForEnd(absl::InfiniteDuration());
  }
  const SessionState::End end = *state_->end();
  if (end.released) return state_->reattach_config;
  if (!end.exit_error.ok()) return end.exit_error;
  return MakeError(Reason::kShutDown,
                   "the client was shut down, and the plugin with it",
                   "detach instead of, not after, Shutdown or Kill");
}

absl::StatusOr<ExitStatus> Session::WaitForExit(absl::Duration timeout) const {
  absl::Status status = CheckMayBlock();
  if (!status.ok()) return status;
  if (!state_->sees_exit) return state_->may_kill;
  if (state_->WaitForExit(timeout)) return *state_->exit_status();
  if (state_->ended() && state_->end()->released) return ReleasedError();
  return MakeError(Reason::kTimeout,
                   absl::StrCat("the plugin still runs after ",
                                absl::FormatDuration(timeout)),
                   "wait longer, or end it with Shutdown or Kill");
}

void Session::OnExit(SessionState::ExitCallback callback) {
  state_->OnExit(std::move(callback), *completions_);
}

void Session::OnEnd(SessionState::EndCallback callback) {
  state_->OnEnd(std::move(callback), *completions_);
}

void Session::OnGone(GoneCallback told) {
  runtime_->loop().Post(
      [self = shared_from_this(), told = std::move(told)]() mutable {
        if (self->at_ != State::kEnded) {
          return self->gone_.push_back(std::move(told));
        }
        // After what Finish has posted.
        self->runtime_->loop().Post(
            [state = self->state_, told = std::move(told)]() mutable {
              std::move(told)(*state->end());
            });
      });
}

absl::Status Session::WaitForEnd() {
  state_->WaitForEnd(absl::InfiniteDuration());
  return state_->end()->result;
}

void Session::WaitForLoop() {
  // Shared with the loop, which may still be in Notify when this returns.
  const auto done = std::make_shared<absl::Notification>();
  runtime_->loop().Post([done] { done->Notify(); });
  done->WaitForNotification();
}

bool Session::WaitForEnd(absl::Duration timeout) {
  return state_->WaitForEnd(timeout);
}

absl::Status Session::Ping(absl::Duration timeout) {
  absl::Status status = CheckMayBlock();
  if (!status.ok()) return status;
  struct Answer {
    absl::Notification arrived;
    grpc::Status status;
    wire::HealthCheckResponse::ServingStatus serving =
        wire::HealthCheckResponse::UNKNOWN;
  };
  Answer answer;
  // Interceptors are the user's own, on the user's thread.
  const CallPlace place = options_.interceptors == nullptr
                              ? CallPlace::Queue(runtime_->calls())
                              : CallPlace::Here();
  // The watch may begin while this waits, and counts what it was told of.
  const auto told = std::make_shared<bool>(false);
  runtime_->loop().Post([self = shared_from_this(), told] {
    if (self->starvation_ == nullptr) return;
    self->starvation_->OnAsked();
    *told = true;
  });
  CheckHealth(place, state_->channel(), timeout,
              [&answer](const grpc::Status& status,
                        wire::HealthCheckResponse::ServingStatus serving) {
                answer.status = status;
                answer.serving = serving;
                answer.arrived.Notify();
              });
  // gRPC ends the call at its deadline.
  answer.arrived.WaitForNotification();
  runtime_->loop().Post(
      [self = shared_from_this(), told, status = answer.status] {
        if (!*told || self->starvation_ == nullptr) return;
        self->starvation_->OnAnswer(status);
      });
  if (MayMeanExit(answer.status)) {
    if (state_->sees_exit) state_->WaitForEnd(kExplainWait);
    if (state_->end().has_value() || !state_->exit_error().ok()) {
      return Explain(answer.status);
    }
  }
  return HealthError(answer.status, answer.serving);
}

absl::Status Session::Explain(const grpc::Status& call) const {
  if (call.ok()) return absl::OkStatus();
  absl::Status status = CheckMayBlock();
  if (!status.ok()) return status;
  if (MayMeanExit(call) && state_->sees_exit) state_->WaitForEnd(kExplainWait);
  return Explanation(call);
}

void Session::ExplainAsync(grpc::Status call, SessionState::EndCallback done) {
  runtime_->loop().Post([self = shared_from_this(), call = std::move(call),
                         done = std::move(done)]() mutable {
    self->AddQuestion(std::move(call), std::move(done));
  });
}

void Session::AddQuestion(grpc::Status call, SessionState::EndCallback done) {
  const bool waits =
      MayMeanExit(call) && state_->sees_exit && !state_->end().has_value();
  if (!waits) {
    completions_->Post(
        [done = std::move(done), why = Explanation(call)]() mutable {
          std::move(done)(std::move(why));
        });
    return;
  }
  questions_.push_back(
      {std::move(call), std::move(done), stopwatch_.Elapsed() + kExplainWait});
  if (questions_.size() == 1) AnswerQuestions(/*all=*/false);
}

void Session::AnswerQuestions(bool all) {
  while (!questions_.empty() &&
         (all || questions_.front().until <= stopwatch_.Elapsed())) {
    Question question = std::move(questions_.front());
    questions_.pop_front();
    completions_->Post([done = std::move(question.done),
                        why = Explanation(question.call)]() mutable {
      std::move(done)(std::move(why));
    });
  }
  if (questions_.empty()) return;
  if (question_deadline_ == nullptr) {
    question_deadline_ = std::make_unique<Timer>(runtime_->loop());
  }
  question_deadline_->Start(questions_.front().until - stopwatch_.Elapsed(),
                            [this] { AnswerQuestions(/*all=*/false); });
}

absl::Status Session::Explanation(const grpc::Status& call) const {
  if (call.ok()) return absl::OkStatus();
  const absl::optional<SessionState::End> end = state_->end();
  if (!end.has_value()) {
    // The end may wait for what the plugin has left.
    const absl::Status exit = state_->exit_error();
    if (MayMeanExit(call) && !exit.ok()) {
      state_->SetExplained();
      return WithCall(exit, call);
    }
    const absl::Status lost = state_->lost();
    return MayMeanExit(call) && !lost.ok()
               ? WithCall(lost, call)
               : CallError(call, state_->sees_exit, state_->hang());
  }
  if (!end->exit_error.ok() && !end->released) {
    state_->SetExplained();
    return WithCall(end->exit_error, call);
  }
  return WithCall(ShutDownError(), call);
}

absl::Status Session::CheckMayBlock() {
  absl::Status usable = Runtime::CheckProcess();
  if (!usable.ok() || !OnSdkThread()) return usable;
  return MakeError(
      Reason::kWrongThread,
      "a blocking method was called from a callback of this library",
      "use the Async variant, or call it from a thread of your own");
}

}  // namespace goplugin::internal

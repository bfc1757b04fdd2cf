#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/lifecycle/launch.h"
#include "goplugin/internal/lifecycle/steps.h"

// How a launch fails, and what its error says.

namespace goplugin::internal {
namespace {

absl::Status EndedEarly() {
  return MakeError(Reason::kExitedEarly,
                   "the plugin ended after its handshake line, before it was "
                   "ready",
                   "see its last words on stderr; its server may have failed "
                   "to start");
}

}  // namespace

void Launch::OnExit() {
  if (state_ == State::kReading) {
    return FinishReading(HandshakeReader::End::kExited);
  }
  if (!before(State::kEnding)) return;
  Fail(EndedEarly());
}

void Launch::OnDeadline() {
  switch (state_) {
    case State::kStarting:
      if (!*begun_) return Fail(NoFreeThread());
      return Fail(MakeError(
          Reason::kHandshakeTimeout,
          absl::StrCat("the plugin ", plugin_.name,
                       " was not started within the start timeout"),
          "raise start_timeout: a big program on a slow disk takes its time to "
          "be hashed, and a runner's Start must return soon"));
    case State::kReading:
      FinishReading(HandshakeReader::End::kDeadline);
      return deadline_.Start(kBackstop, [this] {
        // The line may have been in what was read last.
        if (state_ != State::kReading) return OnDeadline();
        Fail(NoFreeThread());
      });
    case State::kAddressing:
      if (!unreached_.ok()) {
        return Fail(NobodyThere(plugin_.response.endpoint, unreached_,
                                approaching_.Elapsed()));
      }
      return Fail(MakeError(
          Reason::kHandshakeTimeout,
          "the plugin's address was not translated or opened within the start "
          "timeout",
          "the runner's PluginToHost and the host's interceptor factories must "
          "return soon"));
    case State::kConnecting:
      return Fail(MakeError(
          Reason::kConnect,
          "the plugin's health was not checked within the start timeout",
          "the host's interceptors must return soon"));
    case State::kEnding:
    case State::kOver:
      return;
  }
}

void Launch::Fail(const absl::Status& status) {
  if (!before(State::kEnding)) return;
  RememberAnnounced();
  state_ = State::kEnding;
  *abandoned_ = true;
  deadline_.Cancel();
  notice_.Cancel();
  quiet_.Cancel();
  failure_ = WithEvidence(status);
  if (connector_ != nullptr) connector_->Cancel();
  Diagnose();
  context_.keeper->Kill();
}

// What the line named is the plugin's to leave, and this client's to remove.
void Launch::RememberAnnounced() {
  if (before(State::kAddressing)) return;
  context_.steps->Post(
      [files = context_.keeper->files(), endpoint = plugin_.response.endpoint] {
        files->Remember(endpoint);
      });
}

void Launch::Diagnose() {
  if (diagnose_ == nullptr) return;
  TakeStep(
      context_.steps, context_.runtime.loop(), weak_from_this(),
      [diagnose = std::exchange(diagnose_, nullptr),
       work = context_.keeper->BeginWork()] { return diagnose(); },
      [](Launch& self, std::string diagnosis) {
        self.diagnosis_ = std::move(diagnosis);
      });
}

void Launch::OnEnded() {
  // Nobody has told why: there was no thread for it.
  if (before(State::kEnding)) failure_ = WithEvidence(EndedEarly());
  state_ = State::kOver;
  connector_.reset();
  // The last words may have come after the failure.
  std::move(done_)(WithLastEvidence(failure_));
}

absl::Status Launch::WithEvidence(const absl::Status& status) const {
  ErrorDetails details = GetErrorDetails(status).value_or(ErrorDetails());
  if (const PluginProcess* process = context_.keeper->process()) {
    const pid_t pid = process->pid();
    details.evidence.push_back(absl::StrCat(
        "plugin ", plugin_.name, pid > 0 ? absl::StrCat(", pid ", pid) : ""));
    // Not the SIGKILL that follows a failure.
    details.exit_status = process->exit_status();
  }
  details.evidence.push_back(
      absl::StrCat("after ", InMilliseconds(context_.stopwatch.Elapsed())));
  context_.output->AddEvidence(details);
  if (details.reason == Reason::kExitedEarly && start_.stdin_is_empty &&
      details.exit_status == ExitStatus{ExitStatus::Kind::kExited, 0}) {
    absl::StrAppend(&details.hint,
                    " A plugin that ends when its stdin does "
                    "needs Command::Stdin::kPipe.");
  }
  return MakeError(details);
}

absl::Status Launch::WithLastEvidence(const absl::Status& status) const {
  ErrorDetails details = GetErrorDetails(status).value_or(ErrorDetails());
  if (!diagnosis_.empty()) {
    details.evidence.push_back(
        absl::StrCat("the runner's diagnosis: ", Quote(diagnosis_)));
  }
  const PluginProcess* process = context_.keeper->process();
  if (process != nullptr && !process->trouble().empty()) {
    details.evidence.push_back(process->trouble());
  }
  if (process != nullptr && !process->exit_status().has_value()) {
    details.evidence.push_back("it was killed, and is still there");
  }
  context_.output->AddEvidence(details);
  return MakeError(details);
}

}  // namespace goplugin::internal

#include "goplugin/internal/channel/relayed_call.h"

#include <grpc/grpc.h>
#include <grpcpp/support/string_ref.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/internal/channel/call_deadline.h"

namespace goplugin::internal {
namespace {

// A call whose target has died waits this long for the router to notice, and
// any time for the next one.
constexpr absl::Duration kUntilDeathIsKnown = absl::Seconds(1);
// A call that waits ends this long before its deadline, and at most a tenth of
// its time, so that it is told what it waited for: gRPC itself says no more
// than "Deadline Exceeded".
constexpr absl::Duration kBeforeDeadline = absl::Milliseconds(10);

}  // namespace

RelayedCall::RelayedCall(RelayServer& server) : server_(server) {}

void RelayedCall::AwaitNext(RelayServer& server) {
  auto* call = new RelayedCall(server);
  server.desk->Await();
  // Comes only if the call arrives.
  call->context_.AsyncNotifyWhenDone(call->caller_end_.tag());
  server.service.RequestCall(&call->context_, &call->stream_,
                             server.queue.get(), server.queue.get(),
                             call->Begin(call->arrival_));
}

void RelayedCall::OnStep(void (RelayedCall::*done)(bool), bool ok) {
  --pending_;
  (this->*done)(ok);
  if (pending_ > 0) return;
  const std::shared_ptr<RelayDesk> desk = arrived_ ? server_.desk : nullptr;
  delete this;
  if (desk != nullptr) desk->OnCallEnd();
}

void RelayedCall::OnArrival(bool ok) {
  if (!ok) return server_.desk->StopAwaiting();
  ++pending_;  // OnCallerEnd
  arrived_ = true;
  TakeTicket();
  server_.desk->StopAwaiting();
  if (!server_.desk->closed()) AwaitNext(server_);
  if (ticket_ == nullptr) {
    return End(grpc::Status(grpc::StatusCode::CANCELLED, "the call is over"));
  }
  if (!ticket_->watched_state.has_value()) ReadRequest();
  EnterLine();
}

void RelayedCall::TakeTicket() {
  const auto name = context_.client_metadata().find(RelayDesk::kTicketKey);
  ticket_ = server_.desk->Take(name == context_.client_metadata().end()
                                   ? std::string()
                                   : ToString(name->second));
}

void RelayedCall::OnCallerEnd(bool /*ok*/) {
  cancelled_ = context_.IsCancelled();
  if (!cancelled_ || ticket_ == nullptr) return;
  ticket_->line->Leave(*this);
  DropPatience();
  if (attempt_ != nullptr) attempt_->context.TryCancel();
}

void RelayedCall::End(const grpc::Status& status) {
  if (ending_) return;
  ending_ = true;
  DropPatience();
  stream_.Finish(status, Begin(end_));
}

// ---- In the line -----------------------------------------------------------

void RelayedCall::EnterLine() {
  WaitingLine& line = *ticket_->line;
  if (!line.Enter(*this)) {
    return End(grpc::Status(
        grpc::StatusCode::RESOURCE_EXHAUSTED,
        absl::StrCat("the call would be one of more than ", line.max_waiting(),
                     " that wait for a plugin process: ",
                     WhyNoTarget(line.router()).error_message())));
  }
  if (Waits()) SetPatience();
}

bool RelayedCall::Waits() const {
  return attempt_ == nullptr && !ending_ && !cancelled_;
}

bool RelayedCall::Look(CallRouter& router) {
  if (!Waits()) return true;
  if (ticket_->watched_state.has_value()) {
    if (StateOf(router) == *ticket_->watched_state) return false;
    End(grpc::Status::OK);
    return true;
  }
  std::shared_ptr<CallTarget> target = router.Pick();
  if (target == nullptr) {
    if (router.MayWait()) return false;
    End(repeats_ > 0 ? last_status_ : WhyNoTarget(router));
    return true;
  }
  if (IsGone(*target)) return false;
  PassTo(std::move(target));
  return true;
}

bool RelayedCall::IsGone(const CallTarget& target) const {
  return &target == left_target_.get() &&
         target.channel->GetState(false) != GRPC_CHANNEL_READY;
}

void RelayedCall::SetPatience() {
  if (ticket_->watched_state.has_value()) return;
  const absl::Duration left = TimeUntil(ticket_->deadline);
  patience_for_ = std::max(left - std::min(kBeforeDeadline, left / 10),
                           absl::ZeroDuration());
  last_moment_ = repeats_ == 0 || patience_for_ <= kUntilDeathIsKnown;
  if (!last_moment_) patience_for_ = kUntilDeathIsKnown;
  if (patience_for_ == absl::InfiniteDuration()) return;
  since_patience_ = Stopwatch();
  patience_ = new Patience(this);
  patience_->Set(
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_nanos(absl::ToInt64Nanoseconds(patience_for_),
                                       GPR_TIMESPAN)));
}

void RelayedCall::DropPatience() {
  if (patience_ != nullptr) std::exchange(patience_, nullptr)->Cancel();
}

void RelayedCall::Patience::Set(gpr_timespec end) {
  alarm_.Set(call_->server_.queue.get(), end, call_->Begin(*this));
}

void RelayedCall::Patience::Run(bool ok) {
  const bool dropped = call_->patience_ != this;
  if (!dropped) call_->patience_ = nullptr;
  call_->OnStep(&RelayedCall::OnPatienceEnd, ok && !dropped);
  delete this;
}

void RelayedCall::OnPatienceEnd(bool ok) {
  if (!ok || !Waits()) return;
  // Too early, by a clock of gRPC's own.
  if (since_patience_.Elapsed() < patience_for_) return SetPatience();
  WaitingLine& line = *ticket_->line;
  if (last_moment_) {
    line.Leave(*this);
    return End(grpc::Status(
        grpc::StatusCode::DEADLINE_EXCEEDED,
        absl::StrCat(
            "the call waited for a plugin process until its deadline: ",
            WhyNoTarget(line.router()).error_message())));
  }
  const std::shared_ptr<CallTarget> target = line.router().Pick();
  if (target != nullptr && IsGone(*target)) {
    line.Leave(*this);
    return End(last_status_);
  }
  // It may be connected again, of which no router tells.
  if (Look(line.router())) return line.Leave(*this);
  SetPatience();
}

// ---- The caller's messages -------------------------------------------------

void RelayedCall::ReadRequest() {
  stream_.Read(&request_, Begin(read_request_));
}

void RelayedCall::OnRequest(bool ok) {
  has_request_ = ok;
  has_all_requests_ = !ok || HasOneRequest(ticket_->type);
  SendRequest();
}

void RelayedCall::OnHeadersForwarded(bool /*ok*/) { ReadAnswer(); }

void RelayedCall::OnAnswerForwarded(bool ok) {
  if (!ok) attempt_->context.TryCancel();
  ReadAnswer();
}

}  // namespace goplugin::internal

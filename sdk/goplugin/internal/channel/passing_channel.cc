#include "goplugin/internal/channel/passing_channel.h"

#include <grpc/grpc.h>
#include <grpcpp/impl/call_op_set_interface.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/channel/call_deadline.h"
#include "goplugin/internal/channel/call_watch.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/channel/handed_interceptor.h"
#include "goplugin/internal/channel/state_change.h"
#include "goplugin/internal/versions/grpc_call_access.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// A channel whose calls end with `why`.
std::shared_ptr<grpc::Channel> FailingChannel(const grpc::Status& why) {
  ShutDownChannel();  // keeps gRPC running
  InterceptorFactories interceptors;
  interceptors.push_back(HandedInterceptorFactory());
  return grpc::CreateChannelInternal(
      "",
      grpc_lame_client_channel_create(
          nullptr, static_cast<grpc_status_code>(why.error_code()),
          why.error_message().c_str()),
      std::move(interceptors));
}

}  // namespace

PassingChannel::PassingChannel(std::shared_ptr<CallRouter> router,
                               std::shared_ptr<CallRelay> relay,
                               PassingOptions options)
    : options_(std::move(options)),
      router_(std::move(router)),
      changes_(std::make_shared<RouterChanges>(router_)),
      relay_(std::move(relay)),
      line_(std::make_shared<WaitingLine>(router_, changes_, relay_->desk(),
                                          options_.max_waiting)),
      queue_keeper_(FailingChannel(
          grpc::Status(grpc::StatusCode::INTERNAL, "never called"))) {}

PassingChannel::~PassingChannel() = default;

grpc_connectivity_state PassingChannel::GetState(bool try_to_connect) {
  const grpc_connectivity_state state = StateOf(*router_);
  if (try_to_connect && state == GRPC_CHANNEL_IDLE) router_->Pick();
  return state;
}

bool PassingChannel::IsRetrySafe(
    const grpc::internal::RpcMethod& method) const {
  return !options_.retry_safe_methods.empty() &&
         HasOneRequest(method.method_type()) &&
         options_.retry_safe_methods.count(method.name()) > 0;
}

grpc::internal::Call PassingChannel::CreateCall(
    const grpc::internal::RpcMethod& method, grpc::ClientContext* context,
    grpc::CompletionQueue* queue) {
  const bool retry_safe = IsRetrySafe(method);
  const std::shared_ptr<CallTarget> target = router_->Pick();
  if (target != nullptr && !retry_safe) {
    const Handover handover(WatchCall(target, queue_keeper_), context);
    return CallAccess::CreateCall(*target->channel, method, context, queue);
  }
  if (target == nullptr && !router_->MayWait()) {
    return Refuse(WhyNoTarget(*router_), method, context, queue);
  }
  const absl::Status started = relay_->Start();
  if (!started.ok()) {
    return Refuse(
        grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                     absl::StrCat("no call can wait: ", started.message())),
        method, context, queue);
  }
  auto ticket = std::make_shared<RelayTicket>();
  ticket->method = method.name();
  ticket->type = method.method_type();
  ticket->repeatable = retry_safe;
  return Relay(std::move(ticket), context, queue);
}

grpc::internal::Call PassingChannel::Relay(std::shared_ptr<RelayTicket> ticket,
                                           grpc::ClientContext* context,
                                           grpc::CompletionQueue* queue) {
  ticket->line = line_;
  ticket->deadline = MonotonicDeadline(context->raw_deadline());
  ticket->flags = CallAccess::InitialMetadataFlags(*context);
  ticket->authority = CallAccess::Authority(*context);
  ticket->compression = context->compression_algorithm();
  ticket->credentials = context->credentials();
  return relay_->CreateCall(std::move(ticket), queue_keeper_, context, queue);
}

grpc::internal::Call PassingChannel::Refuse(
    const grpc::Status& why, const grpc::internal::RpcMethod& method,
    grpc::ClientContext* context, grpc::CompletionQueue* queue) {
  const std::shared_ptr<grpc::Channel> channel = RefusingChannel(why);
  const Handover handover(std::make_unique<CallKeeper>(queue_keeper_), context);
  return CallAccess::CreateCall(*channel, method, context, queue);
}

std::shared_ptr<grpc::Channel> PassingChannel::RefusingChannel(
    const grpc::Status& why) {
  MutexLock lock(mutex_);
  if (refusing_ == nullptr || refusal_.error_code() != why.error_code() ||
      refusal_.error_message() != why.error_message()) {
    refusal_ = why;
    refusing_ = FailingChannel(why);
  }
  return refusing_;
}

// Not reached: a call of 1.51 asks the channel that made it, one of today none.
void PassingChannel::PerformOpsOnCall(
    grpc::internal::CallOpSetInterface* operations,
    grpc::internal::Call* call) {
  operations->FillOps(call);
}

grpc::CompletionQueue* PassingChannel::CallbackCQ() {
  return CallAccess::CallbackCQ(*queue_keeper_);
}

bool PassingChannel::WaitForStateChangeImpl(
    grpc_connectivity_state last_observed, gpr_timespec deadline) {
  return WaitForState(*router_, *changes_, last_observed, deadline);
}

void PassingChannel::NotifyOnStateChangeImpl(
    grpc_connectivity_state last_observed, gpr_timespec deadline,
    grpc::CompletionQueue* queue, void* tag) {
  auto* const change = new StateChange(tag, deadline);
  if (!relay_->Start().ok()) {
    // As when nothing changes until the deadline, which may be far away.
    const grpc::internal::RpcMethod method(
        "/goplugin.Relay/State", grpc::internal::RpcMethod::NORMAL_RPC);
    return change->Await(
        Refuse(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "no thread"),
               method, change->context(), queue));
  }
  auto ticket = std::make_shared<RelayTicket>();
  ticket->type = grpc::internal::RpcMethod::NORMAL_RPC;
  ticket->watched_state = last_observed;
  change->Await(Relay(std::move(ticket), change->context(), queue));
}

}  // namespace goplugin::internal

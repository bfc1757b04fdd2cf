#ifndef GOPLUGIN_INTERNAL_CHANNEL_PASSING_CHANNEL_H_
#define GOPLUGIN_INTERNAL_CHANNEL_PASSING_CHANNEL_H_

#include <grpc/grpc.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/impl/call.h>
#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/channel/call_relay.h"
#include "goplugin/internal/channel/call_target.h"
#include "goplugin/internal/channel/router_changes.h"
#include "goplugin/internal/channel/waiting_line.h"

namespace goplugin::internal {

struct PassingOptions {
  // Calls that may wait for a target at the same time; more end at once with
  // RESOURCE_EXHAUSTED.
  int max_waiting = 1000;
  // Full names ("/proto.KV/Get") of methods that a plugin may be asked twice.
  // Their calls, where they send one message (unary, server streaming), are
  // made again, at most twice, where they failed with UNAVAILABLE, the
  // connection was lost, and nothing of an answer had come. Each of their calls
  // goes through the relay, which costs about as much again as a small call.
  std::set<std::string> retry_safe_methods;
};

// A channel for stubs of any kind that passes each call to the target that its
// router picks: a real call of the target's channel, with nothing in between.
//
// A call that finds no target waits in the relay, where the router lets it, for
// the next one: until its deadline, its cancellation, or the router's next word
// that it may not. Otherwise it fails at once with the router's WhyNone (code
// and message), wait_for_ready or not.
//
// A call that is passed ends as the target's channel says. Stubs, and calls
// under way, may outlive whoever made this; the router is this one's until
// then. The connectivity state follows the router (StateOf).
//
// Thread-safe. Making a call never blocks.
class PassingChannel final : public grpc::ChannelInterface {
 public:
  // `relay` is shared by as many as like; see there for what its end does.
  PassingChannel(std::shared_ptr<CallRouter> router,
                 std::shared_ptr<CallRelay> relay, PassingOptions options);
  ~PassingChannel() override;
  PassingChannel(const PassingChannel&) = delete;
  PassingChannel& operator=(const PassingChannel&) = delete;

  grpc_connectivity_state GetState(bool try_to_connect) override;

 private:
  grpc::internal::Call CreateCall(const grpc::internal::RpcMethod& method,
                                  grpc::ClientContext* context,
                                  grpc::CompletionQueue* queue) override;
  void PerformOpsOnCall(grpc::internal::CallOpSetInterface* operations,
                        grpc::internal::Call* call) override;
  // Handles are a channel's own.
  void* RegisterMethod(const char* /*method*/) override { return nullptr; }
  void NotifyOnStateChangeImpl(grpc_connectivity_state last_observed,
                               gpr_timespec deadline,
                               grpc::CompletionQueue* queue,
                               void* tag) override;
  bool WaitForStateChangeImpl(grpc_connectivity_state last_observed,
                              gpr_timespec deadline) override;
  // One for the calls of all targets: the keeper's.
  grpc::CompletionQueue* CallbackCQ() override;

  bool IsRetrySafe(const grpc::internal::RpcMethod& method) const;
  grpc::internal::Call Relay(std::shared_ptr<RelayTicket> ticket,
                             grpc::ClientContext* context,
                             grpc::CompletionQueue* queue);
  grpc::internal::Call Refuse(const grpc::Status& why,
                              const grpc::internal::RpcMethod& method,
                              grpc::ClientContext* context,
                              grpc::CompletionQueue* queue);
  std::shared_ptr<grpc::Channel> RefusingChannel(const grpc::Status& why);

  const PassingOptions options_;
  const std::shared_ptr<CallRouter> router_;
  const std::shared_ptr<RouterChanges> changes_;
  const std::shared_ptr<CallRelay> relay_;
  const std::shared_ptr<WaitingLine> line_;
  // Never called: has the queue of the callback API, for as long as there are
  // calls.
  const std::shared_ptr<grpc::Channel> queue_keeper_;

  absl::Mutex mutex_;
  // The last one, which serves all that fail for the same reason.
  grpc::Status refusal_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<grpc::Channel> refusing_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_PASSING_CHANNEL_H_

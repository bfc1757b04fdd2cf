#ifndef GOPLUGIN_INTERNAL_CHANNEL_STATE_CHANGE_H_
#define GOPLUGIN_INTERNAL_CHANNEL_STATE_CHANGE_H_

#include <grpc/grpc.h>
#include <grpcpp/client_context.h>
#include <grpcpp/impl/call.h>
#include <grpcpp/impl/call_op_set.h>
#include <grpcpp/support/status.h>

#include <map>
#include <string>

#include "goplugin/internal/channel/call_target.h"
#include "goplugin/internal/channel/router_changes.h"

namespace goplugin::internal {

// Waits until the router's state is not `last_observed`. False at the deadline.
bool WaitForState(CallRouter& router, RouterChanges& changes,
                  grpc_connectivity_state last_observed, gpr_timespec deadline);

// Brings a tag to a completion queue when a call without messages ends: true if
// with OK, else false. Nothing else but a call can do that from outside of
// gRPC, and be waited for by the queue's Shutdown. Owns itself.
class StateChange final : private grpc::internal::CallOpSet<
                              grpc::internal::CallOpSendInitialMetadata,
                              grpc::internal::CallOpClientSendClose,
                              grpc::internal::CallOpClientRecvStatus> {
 public:
  StateChange(void* tag, gpr_timespec deadline) : tag_(tag) {
    context_.set_deadline(deadline);
  }
  grpc::ClientContext* context() { return &context_; }

  // `call` has this one's context. Once, and last.
  void Await(grpc::internal::Call call);

 private:
  ~StateChange() override = default;
  bool FinalizeResult(void** tag, bool* ok) override;

  void* const tag_;
  grpc::ClientContext context_;
  std::multimap<std::string, std::string> metadata_;
  grpc::Status status_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_STATE_CHANGE_H_

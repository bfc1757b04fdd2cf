#ifndef GOPLUGIN_INTERNAL_CHANNEL_CALL_RELAY_H_
#define GOPLUGIN_INTERNAL_CHANNEL_CALL_RELAY_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/impl/call.h>
#include <grpcpp/server.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/channel/relay_desk.h"
#include "goplugin/internal/channel/relayed_call.h"
#include "goplugin/internal/loop/sdk_thread.h"

namespace goplugin::internal {

// The way of the calls that can't be passed to a plugin's channel at once. A
// call has to be one of some channel from the beginning, so these are calls of
// an in-process server of the relay's, which makes them again, as bytes, at the
// plugin that is there later: RelayedCall. One server and one thread for any
// number of passing channels; neither is there before the first such call.
//
// What is not the same as in a call that was passed at once: peer() and
// auth_context() are the relay's; WriteOptions of a single message (no
// compression, buffering) are not handed on; nor is metadata of the plugin's
// that gRPC itself would not send (keys and text values that are not ASCII); a
// user's interceptors see messages as bytes.
//
// Thread-safe. Its end cancels the calls in it, waits for them, which needs
// nothing from the plugin, and joins: never on its own thread, on which it only
// calls a CallRouter.
class CallRelay {
 public:
  CallRelay() = default;
  ~CallRelay();
  CallRelay(const CallRelay&) = delete;
  CallRelay& operator=(const CallRelay&) = delete;

  // Starts server and thread, once. kResources where there is no thread: the
  // next one tries again.
  absl::Status Start();

  // A call that has `ticket`. Start was OK. `kept` lives until the context
  // goes. Never blocks.
  grpc::internal::Call CreateCall(std::shared_ptr<const RelayTicket> ticket,
                                  std::shared_ptr<const void> kept,
                                  grpc::ClientContext* context,
                                  grpc::CompletionQueue* queue);

  const std::shared_ptr<RelayDesk>& desk() const { return desk_; }

 private:
  void Run();

  const std::shared_ptr<RelayDesk> desk_ = std::make_shared<RelayDesk>();
  absl::Mutex mutex_;
  // Set once, by Start.
  std::shared_ptr<grpc::Channel> channel_ ABSL_GUARDED_BY(mutex_);
  RelayServer calls_;
  std::unique_ptr<grpc::Server> server_;
  SdkThread thread_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_CALL_RELAY_H_

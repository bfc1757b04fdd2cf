#include "goplugin/internal/channel/call_relay.h"

#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <chrono>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/channel/handed_interceptor.h"
#include "goplugin/internal/versions/grpc_call_access.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;

// One name for all: what a host has added to every server (health, reflection)
// must not answer in the plugin's place.
constexpr char kMethod[] = "/goplugin.Relay/Call";

// Leaves the ticket at the desk when the call begins.
class RelayEntry final : public CallKeeper {
 public:
  RelayEntry(std::shared_ptr<RelayDesk> desk,
             std::shared_ptr<const RelayTicket> ticket,
             std::shared_ptr<const void> kept)
      : CallKeeper(std::move(kept)),
        desk_(std::move(desk)),
        ticket_(std::move(ticket)) {}
  ~RelayEntry() override { desk_->Drop(name_); }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      name_ = desk_->Leave(std::move(ticket_));
      auto* const metadata = methods->GetSendInitialMetadata();
      // Whoever handed on metadata of others would hand on their tickets.
      metadata->erase(RelayDesk::kTicketKey);
      metadata->emplace(RelayDesk::kTicketKey, name_);
    }
    if (methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::POST_RECV_STATUS)) {
      desk_->Drop(name_);
    }
    methods->Proceed();
  }

 private:
  const std::shared_ptr<RelayDesk> desk_;
  std::shared_ptr<const RelayTicket> ticket_;
  std::string name_;
};

std::shared_ptr<grpc::Channel> InProcessChannel(grpc::Server& server) {
  const grpc::ChannelArguments arguments = MergeChannelArguments({});
  InterceptorFactories interceptors;
  interceptors.push_back(HandedInterceptorFactory());
  return server.experimental().InProcessChannelWithInterceptors(
      arguments, std::move(interceptors));
}

}  // namespace

absl::Status CallRelay::Start() {
  MutexLock lock(mutex_);
  if (channel_ != nullptr) return absl::OkStatus();
  if (server_ == nullptr) {
    ShutDownChannel();  // keeps gRPC running
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(-1);
    // Today's gRPC would cancel some of a thousand that arrive at once: how
    // many may wait is the waiting line's to say.
    for (const char* limit : {"grpc.server.max_pending_requests",
                              "grpc.server.max_pending_requests_hard_limit"}) {
      builder.AddChannelArgument(limit, std::numeric_limits<int>::max());
    }
    builder.RegisterAsyncGenericService(&calls_.service);
    calls_.queue = builder.AddCompletionQueue();
    calls_.desk = desk_;
    server_ = builder.BuildAndStart();
    desk_->Open(calls_.queue.get());
    RelayedCall::AwaitNext(calls_);
  }
  absl::StatusOr<SdkThread> thread =
      StartSdkThread("goplugin-relay", [this] { Run(); });
  if (!thread.ok()) return thread.status();
  thread_ = *std::move(thread);
  channel_ = InProcessChannel(*server_);
  return absl::OkStatus();
}

CallRelay::~CallRelay() {
  if (server_ == nullptr) return;
  desk_->Close();
  {
    MutexLock lock(mutex_);
    channel_ = nullptr;
  }
  if (thread_.joinable()) {
    server_->Shutdown(std::chrono::system_clock::time_point());
    desk_->WaitUntilIdle();
    calls_.queue->Shutdown();
    thread_.Join();
  } else {
    server_->Shutdown(std::chrono::system_clock::time_point());
    calls_.queue->Shutdown();
    Run();
  }
}

grpc::internal::Call CallRelay::CreateCall(
    std::shared_ptr<const RelayTicket> ticket, std::shared_ptr<const void> kept,
    grpc::ClientContext* context, grpc::CompletionQueue* queue) {
  std::shared_ptr<grpc::Channel> channel;
  {
    MutexLock lock(mutex_);
    channel = channel_;
  }
  const grpc::internal::RpcMethod method(kMethod, ticket->type);
  const Handover handover(
      std::make_unique<RelayEntry>(desk_, std::move(ticket), std::move(kept)),
      context);
  return CallAccess::CreateCall(*channel, method, context, queue);
}

void CallRelay::Run() {
  while (true) {
    desk_->WaitForWork();
    void* tag = nullptr;
    bool ok = false;
    if (!calls_.queue->Next(&tag, &ok)) return;
    static_cast<RelayStep*>(tag)->Run(ok);
  }
}

}  // namespace goplugin::internal

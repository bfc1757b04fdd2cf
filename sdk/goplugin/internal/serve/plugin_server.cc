#include "goplugin/internal/serve/plugin_server.h"

#include <memory>
#include <utility>

#include "absl/memory/memory.h"
#include "goplugin/error.h"
#include "goplugin/internal/channel/server_arguments.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/loop/deadline.h"
#include "goplugin/internal/serve/host_connections.h"

namespace goplugin::internal {
namespace {

// For cancelled methods to return. Together with the grace and the flush of
// stdout it must stay below the 2 s after which hosts kill.
constexpr absl::Duration kCancelTime = absl::Milliseconds(500);

}  // namespace

absl::StatusOr<std::unique_ptr<PluginServer>> PluginServer::Start(
    const ServerPlan& plan) {
  auto server = absl::WrapUnique(new PluginServer());
  // First: without it, the end of a server that somebody calls already would
  // have no deadline.
  absl::StatusOr<SdkThread> stopper =
      StartSdkThread("goplugin-stop", [raw = server.get()] {
        raw->stop_.WaitForNotification();
        if (raw->server_ != nullptr) {
          raw->server_->Shutdown(DeadlineAfter(raw->grace_));
        }
        raw->stopped_.Notify();
      });
  if (!stopper.ok()) return stopper.status();
  server->stopper_ = *std::move(stopper);
  absl::Status built = server->Build(plan);
  if (!built.ok()) return built;
  return server;
}

PluginServer::~PluginServer() {
  BeginShutdown(absl::ZeroDuration());
  stopper_.Join();
}

absl::Status PluginServer::Build(const ServerPlan& plan) {
  grpc::ServerBuilder builder;
  SetServerArguments(builder);
  // For sync methods. gRPC would have one with a thread for each processor, and
  // there is one connection to serve.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  for (grpc::Service* service : plan.services) {
    builder.RegisterService(service);
  }
  intake_ = ConnectionIntake::AddTo(builder, plan.credentials);
  if (plan.configure) plan.configure(builder);
  server_ = builder.BuildAndStart();
  if (server_ != nullptr) return absl::OkStatus();
  return MakeError(
      Reason::kTransport, "gRPC can't serve",
      "gRPC's own message on stderr says why; two services of one name can be "
      "the cause, or broken credentials");
}

void PluginServer::AcceptAt(std::unique_ptr<PluginListener> listener,
                            Acceptors& acceptors) {
  listener_ = std::move(listener);
  // Who may connect is what the socket's mode says.
  accepting_ = acceptors.Accept(
      listener_->Take(), GuestList(),
      [intake = intake_, visits = visits_](UniqueFd connection) {
        if (!IsOfThisProcess(connection.get())) {
          ++*visits;
        }
        intake->Take(std::move(connection));
      });
}

void PluginServer::BeginShutdown(absl::Duration grace) {
  if (stop_.HasBeenNotified()) return;
  accepting_.reset();
  if (intake_ != nullptr) intake_->Close();
  grace_ = grace;
  stop_.Notify();
  if (listener_ != nullptr) listener_->Remove();
}

bool PluginServer::Shutdown(absl::Duration grace) {
  BeginShutdown(grace);
  const bool in_time = stopped_.WaitFor(grace + kCancelTime);
  if (in_time) {
    // Threads that end now, this one and the server's own, must not be met by
    // the exit of the process in OpenSSL.
    stopper_.Join();
    server_.reset();
  }
  return in_time;
}

void PluginServer::WaitForMethods() {
  stopped_.WaitFor(absl::InfiniteDuration());
}

}  // namespace goplugin::internal

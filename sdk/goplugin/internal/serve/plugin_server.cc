#include "goplugin/internal/serve/plugin_server.h"

#include <memory>
#include <thread>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "goplugin/internal/channel/server_arguments.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/loop/deadline.h"
#include "goplugin/internal/serve/port_range.h"

namespace goplugin::internal {
namespace {

// How often a port that looks free may still not be had before we stop
// believing that ports are the trouble.
constexpr int kMaxFailedPorts = 8;

// For cancelled methods to return. Together with the grace and the flush of
// stdout it must stay below the 2 s after which hosts kill.
constexpr absl::Duration kCancelTime = absl::Milliseconds(500);

// As many as gRPC lets wait.
constexpr int kQueue = 4096;

using AddListener = absl::FunctionRef<void(grpc::ServerBuilder&)>;

// nullptr when gRPC can't.
std::unique_ptr<grpc::Server> Build(const ServerPlan& plan, AddListener add) {
  grpc::ServerBuilder builder;
  SetServerArguments(builder);
  for (grpc::Service* service : plan.services) {
    builder.RegisterService(service);
  }
  add(builder);
  if (plan.configure) plan.configure(builder);
  return builder.BuildAndStart();
}

absl::Status CantServe(const std::string& address) {
  return MakeError(
      Reason::kTransport, absl::StrCat("gRPC can't serve on ", Quote(address)),
      "gRPC's own message on stderr says why; besides the address, two "
      "services of one name can be the cause, or broken credentials");
}

absl::Status NowhereToListen(const std::vector<absl::Status>& errors) {
  if (errors.size() == 1) return errors.front();
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = "there is nowhere to listen";
  for (const absl::Status& error : errors) {
    details.evidence.emplace_back(error.message());
  }
  details.hint = "make one of the networks possible";
  return MakeError(details);
}

}  // namespace

absl::Status ListenOnFirst(
    const std::vector<Endpoint::Network>& networks,
    absl::FunctionRef<absl::Status(Endpoint::Network)> listen) {
  std::vector<absl::Status> errors;
  for (Endpoint::Network network : networks) {
    absl::Status status = listen(network);
    if (status.ok()) return status;
    errors.push_back(std::move(status));
  }
  return NowhereToListen(errors);
}

absl::StatusOr<std::unique_ptr<PluginServer>> PluginServer::Start(
    const ServerPlan& plan) {
  auto server = absl::WrapUnique(new PluginServer());
  absl::Status listens = ListenOnFirst(plan.networks, [&](auto network) {
    return server->Listen(network, plan);
  });
  if (!listens.ok()) return listens;
  return server;
}

absl::Status PluginServer::Listen(Endpoint::Network network,
                                  const ServerPlan& plan) {
  return network == Endpoint::Network::kUnix ? ListenUnix(plan)
                                             : ListenTcp(plan);
}

absl::StatusOr<std::unique_ptr<PluginServer>> PluginServer::StartHidden(
    const ServerPlan& plan) {
  auto server = absl::WrapUnique(new PluginServer());
  absl::Status built = server->BuildHidden(plan);
  if (!built.ok()) return built;
  return server;
}

absl::Status PluginServer::BuildHidden(const ServerPlan& plan) {
  server_ = Build(plan, [&](grpc::ServerBuilder& builder) {
    intake_ = ConnectionIntake::AddTo(builder, plan.credentials);
  });
  return server_ == nullptr ? CantServe("its own connections")
                            : absl::OkStatus();
}

absl::Status PluginServer::ListenUnix(const ServerPlan& plan) {
  absl::StatusOr<std::unique_ptr<PluginSocket>> socket =
      PluginSocket::Listen(*plan.directories, kQueue);
  if (!socket.ok()) return socket.status();
  absl::Status built = BuildHidden(plan);
  if (!built.ok()) return built;
  socket_ = *std::move(socket);
  endpoint_ = {Endpoint::Network::kUnix, socket_->path()};
  // Who may connect is what the socket's mode says.
  accepting_ = plan.threads->acceptors()->Accept(
      socket_->TakeListener(), GuestList(),
      [intake = intake_](UniqueFd connection) {
        intake->Take(std::move(connection));
      });
  return absl::OkStatus();
}

absl::Status PluginServer::ListenTcp(const ServerPlan& plan) {
  int failed = 0;
  absl::StatusOr<int> port = WalkPorts(
      plan.min_port, plan.max_port, [&](int candidate) -> absl::StatusOr<int> {
        if (!LooksFree(candidate)) return 0;
        const std::string address = absl::StrCat("127.0.0.1:", candidate);
        int selected = 0;
        server_ = Build(plan, [&](grpc::ServerBuilder& builder) {
          builder.AddListeningPort(address, plan.credentials, &selected);
        });
        if (server_ != nullptr) return selected;
        if (++failed < kMaxFailedPorts) return 0;
        return CantServe(address);
      });
  if (!port.ok()) return port.status();
  endpoint_ = {Endpoint::Network::kTcp, absl::StrCat("127.0.0.1:", *port)};
  return absl::OkStatus();
}

bool PluginServer::Shutdown(absl::Duration grace) {
  accepting_.reset();
  if (intake_ != nullptr) intake_->Close();
  std::thread stopper([server = server_.get(), stopped = stopped_,
                       deadline = DeadlineAfter(grace)] {
    server->Shutdown(deadline);
    stopped->Notify();
  });
  const bool in_time =
      stopped_->WaitForNotificationWithTimeout(grace + kCancelTime);
  if (in_time) {
    stopper.join();
  } else {
    stopper.detach();
  }
  if (socket_ != nullptr) socket_->Remove();
  return in_time;
}

void PluginServer::WaitForMethods() { stopped_->WaitForNotification(); }

}  // namespace goplugin::internal

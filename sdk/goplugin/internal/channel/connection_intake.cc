#include "goplugin/internal/channel/connection_intake.h"

#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/endpoint/endpoint_listener.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

using Acceptor = grpc::experimental::ExternalConnectionAcceptor;
using Acceptors = grpc::ServerBuilder::experimental_type;

// The same in every release so far.
std::unique_ptr<Acceptor> AddAcceptor(
    grpc::ServerBuilder& builder,
    const std::shared_ptr<grpc::ServerCredentials>& credentials) {
  return builder.experimental().AddExternalConnectionAcceptor(
      Acceptors::ExternalConnectionType::FROM_FD, credentials);
}

}  // namespace

struct ConnectionIntake::Server {
  // Held while a connection is handed over, so that none comes after Close.
  absl::Mutex mutex;
  // One of the two.
  std::unique_ptr<EndpointListener> listener ABSL_GUARDED_BY(mutex);
  std::unique_ptr<Acceptor> acceptor ABSL_GUARDED_BY(mutex);
  bool started ABSL_GUARDED_BY(mutex) = false;
  bool closed ABSL_GUARDED_BY(mutex) = false;
  // Held by the server as long as it lives.
  std::weak_ptr<int> alive ABSL_GUARDED_BY(mutex);

  bool Serving() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return started && !closed && !alive.expired();
  }
};

// Tells when the server has been started.
class ConnectionIntake::Plugin final : public grpc::ServerBuilderPlugin {
 public:
  explicit Plugin(std::shared_ptr<Server> server)
      : server_(std::move(server)) {}

  std::string name() override { return "goplugin.connection_intake"; }
  void InitServer(grpc::ServerInitializer* /*initializer*/) override {}
  void Finish(grpc::ServerInitializer* /*initializer*/) override {
    MutexLock lock(server_->mutex);
    server_->started = true;
  }
  void ChangeArguments(const std::string& /*name*/, void* /*value*/) override {}

 private:
  const std::shared_ptr<Server> server_;
};

// Puts something into the server's arguments that lives as long as they do.
class ConnectionIntake::Option final : public grpc::ServerBuilderOption {
 public:
  explicit Option(std::shared_ptr<Server> server)
      : server_(std::move(server)) {}

  void UpdateArguments(grpc::ChannelArguments* arguments) override {
    auto alive = std::make_shared<int>(0);
    KeepAlive(alive, *arguments);
    MutexLock lock(server_->mutex);
    server_->alive = alive;
  }
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>*
                         plugins) override {
    plugins->push_back(std::make_unique<Plugin>(server_));
  }

 private:
  const std::shared_ptr<Server> server_;
};

std::shared_ptr<ConnectionIntake> ConnectionIntake::AddTo(
    grpc::ServerBuilder& builder,
    const std::shared_ptr<grpc::ServerCredentials>& credentials) {
  auto server = std::make_shared<Server>();
  {
    MutexLock lock(server->mutex);
    server->listener = EndpointListener::AddTo(builder, credentials);
    if (server->listener == nullptr) {
      server->acceptor = AddAcceptor(builder, credentials);
    }
  }
  builder.SetOption(std::make_unique<Option>(server));
  return std::shared_ptr<ConnectionIntake>(
      new ConnectionIntake(std::move(server)));
}

ConnectionIntake::~ConnectionIntake() { Close(); }

bool ConnectionIntake::serving() const {
  MutexLock lock(server_->mutex);
  return server_->Serving();
}

void ConnectionIntake::Take(LocalEnd connection) {
  MutexLock lock(server_->mutex);
  if (!server_->Serving()) return;
  if (server_->listener != nullptr) {
    return server_->listener->Take(std::move(connection));
  }
  // Streams come only to who can take them.
  if (!connection.socket.valid()) return;
  Acceptor::NewConnectionParameters parameters;
  // Newer releases refuse an invalid number here, and use none for anything.
  parameters.listener_fd = connection.socket.get();
  parameters.fd = connection.socket.release();
  server_->acceptor->HandleNewConnection(&parameters);
}

void ConnectionIntake::Close() {
  MutexLock lock(server_->mutex);
  server_->closed = true;
}

}  // namespace goplugin::internal

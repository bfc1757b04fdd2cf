#ifndef GOPLUGIN_BROKER_H_
#define GOPLUGIN_BROKER_H_

#include <grpcpp/channel.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"

namespace goplugin {

namespace internal {
class BrokerCore;
class BrokerPlace;
}  // namespace internal

// How to dial a brokered connection. A plain value.
struct DialOptions {
  // From the call of Dial to a connection that works. InfiniteDuration: as long
  // as the plugin lives; what is negative has passed.
  absl::Duration timeout = absl::Seconds(5);
  // Merged over the SDK's own channel arguments: the caller's win.
  grpc::ChannelArguments arguments = {};
  // In place of those of the main connection.
  std::shared_ptr<grpc::ChannelCredentials> credentials = nullptr;
};

// How to accept brokered connections. A plain value.
struct AcceptOptions {
  // In place of those of the main connection.
  std::shared_ptr<grpc::ServerCredentials> credentials = nullptr;
  // How long the calls under way may go on when the server is destroyed; then
  // they are cancelled. A peer that keeps its connection takes no longer. Not
  // negative; InfiniteDuration: until they have all returned.
  absl::Duration shutdown_grace = absl::Milliseconds(100);
  // Called with the server's builder before it starts, on the thread that calls
  // AcceptAndServe: for interceptors, quotas, channel arguments. Must not
  // throw.
  std::function<void(grpc::ServerBuilder&)> configure = nullptr;
};

// A place for a server of the caller's own making, from Broker::Listen.
//
// Example:
//   auto listener = broker.Listen();
//   grpc::ServerBuilder builder;
//   (*listener)->AddTo(builder);
//   builder.RegisterService(&service);
//   std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
//   absl::Status told = (*listener)->Announce(id);
//
// Thread safety: AddTo first, then Announce from any thread.
// Lifetime: may outlive its Broker, and must outlive its server. The destructor
// takes the socket and the ids back; it does not block, and does nothing in a
// forked child.
class BrokerListener {
 public:
  ~BrokerListener();
  BrokerListener(const BrokerListener&) = delete;
  BrokerListener& operator=(const BrokerListener&) = delete;

  // Gives the builder address, credentials and the SDK's own arguments. Once;
  // this object must live until BuildAndStart.
  void AddTo(grpc::ServerBuilder& builder);
  // Tells the other side that `id` can be dialled here. The server must have
  // been started. May be called again with further ids: all lead to the same
  // server, and the dials need no new listener, nor, on a unix socket, a new
  // connection. May wait as AcceptAndServe does. Errors: kOptions for an id
  // that is served already, or a server that does not listen; kBrokerTimeout,
  // kBrokerUnsupported, kConnect when the other side can't be told; kShutDown,
  // kCrashed.
  absl::Status Announce(std::uint32_t id);
  // Where it listens; a tcp port is known once the server was started.
  // Multiplexed, it listens nowhere, and the address is empty.
  Endpoint endpoint() const;

 private:
  friend class Broker;
  friend class BrokerServer;
  BrokerListener(std::unique_ptr<internal::BrokerPlace> place,
                 std::shared_ptr<grpc::ServerCredentials> credentials);

  std::unique_ptr<internal::BrokerPlace> place_;
  const std::shared_ptr<grpc::ServerCredentials> credentials_;
};

// A server of brokered connections, from Broker::AcceptAndServe.
//
// Thread safety: all methods may be called from any thread.
// Lifetime: may outlive its Broker; then nobody dials it any more. The
// destructor stops it: new calls are refused, those under way get
// AcceptOptions::shutdown_grace, and are then cancelled. It returns when the
// services' methods have returned, so that the services may be destroyed. Don't
// destroy it inside one of its own methods. In a forked child it does nothing.
class BrokerServer {
 public:
  ~BrokerServer();
  BrokerServer(const BrokerServer&) = delete;
  BrokerServer& operator=(const BrokerServer&) = delete;

  // As BrokerListener::Announce: one more id for this server.
  absl::Status Announce(std::uint32_t id);
  Endpoint endpoint() const;

 private:
  friend class Broker;
  BrokerServer(std::unique_ptr<BrokerListener> listener,
               std::unique_ptr<grpc::Server> server, absl::Duration grace);

  const std::unique_ptr<BrokerListener> listener_;
  std::unique_ptr<grpc::Server> server_;
  const absl::Duration grace_;
};

// Further gRPC connections between host and plugin, in either direction, made
// while they talk: for callbacks, streams and servers that come and go.
//
// One side takes an id, sends it to the other in a message of its own, and
// accepts on it or dials it; the other does the opposite. Connections are
// secured as the main one is, client certificates required; they are unix
// sockets in the private directory, or tcp ports of 127.0.0.1 when the main
// connection is tcp. Multiplexed (ClientOptions::multiplex, or a host that asks
// the plugin for it), they are streams of the main connection.
//
// Example, a host that lets the plugin call back:
//   goplugin::Broker& broker = client->broker();
//   const std::uint32_t id = broker.NextId();
//   auto server = broker.AcceptAndServe(id, {&add_helper});
//   request.set_add_server(id);
//   counter->Put(&context, request, &response);   // the plugin dials id
//
// Thread safety: every method may be called from any thread. Those that block
// (all but NextId) answer kWrongThread in callbacks of this library.
// Lifetime: belongs to its Client (Client::broker()), or to Serve
// (ServeOptions::on_broker). When that ends, ids and pending dials end with it,
// at once, and sockets are removed; channels fail like those of any server that
// is gone.
// Errors: besides those of the methods, kShutDown and kCrashed once the other
// side is gone, and kBrokerUnsupported, if the other side has no broker.
class Broker {
 public:
  // By the SDK only.
  explicit Broker(std::shared_ptr<internal::BrokerCore> core);
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // An id for one brokered connection: 1, 2, and so on. The other side counts
  // its own.
  std::uint32_t NextId();

  // Connects to the server that the other side accepts with on `id`, an id of
  // either side's. An id can be dialled once. What is announced is not
  // connected to before: what accepts there may take one connection only.
  // Channels to the same unix socket share a connection, unless `options` names
  // arguments or credentials. Multiplexed, each dial gets a stream of its own,
  // and an id can be dialled again; one dial at a time in each direction waits
  // for its id to be accepted, and the others wait for it.
  //
  // Errors: kBrokerTimeout when the other side announces no such id in time;
  // kTransport when what it announces is no address, or none this side may
  // use; kConnect, kTls when nobody answers there as they should; kOptions when
  // there are no credentials to dial with.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(
      std::uint32_t id, const DialOptions& options = {});

  // Serves `services` on a socket of their own, and tells the other side that
  // it is `id`. That starts a server of gRPC's, which takes no service once it
  // runs: where ids lead to the same services, BrokerServer::Announce is the
  // cheaper way. The services are not owned and must outlive the server;
  // generated ones work, sync or callback. Waits for the broker's stream, if
  // that is not open yet: at most 5 s, and 1 s more for the end that explains
  // why it broke.
  //
  // Errors: kOptions for an id that is served already, null services, or no
  // credentials to serve with; kTransport when there is nowhere to listen; and
  // those of BrokerListener::Announce.
  absl::StatusOr<std::unique_ptr<BrokerServer>> AcceptAndServe(
      std::uint32_t id, const std::vector<grpc::Service*>& services,
      AcceptOptions options = {});

  // The same for a server of the caller's own; its ids come with Announce.
  // `credentials`: in place of those of the main connection.
  absl::StatusOr<std::unique_ptr<BrokerListener>> Listen(
      std::shared_ptr<grpc::ServerCredentials> credentials = nullptr);

 private:
  absl::StatusOr<std::shared_ptr<grpc::Channel>> DialFor(
      std::uint32_t id, const DialOptions& options);

  const std::shared_ptr<internal::BrokerCore> core_;
};

}  // namespace goplugin

#endif  // GOPLUGIN_BROKER_H_

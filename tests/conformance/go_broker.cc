#include "tests/conformance/go_broker.h"

#include <grpcpp/client_context.h>
#include <grpcpp/impl/client_unary_call.h>
#include <gtest/gtest.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/internal/serve/service_methods.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

// A call of /proto.Counter, by other names of its messages.
template <typename Request, typename Response>
grpc::Status Call(const Client& client, const char* path,
                  const Request& request, Response* response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(30));
  return grpc::internal::BlockingUnaryCall<Request, Response,
                                           google::protobuf::MessageLite,
                                           google::protobuf::MessageLite>(
      client.channel().get(),
      grpc::internal::RpcMethod(path, grpc::internal::RpcMethod::NORMAL_RPC),
      &context, request, response);
}

std::int64_t GetCounter(const Client& client, const std::string& key) {
  broker::CounterGet get;
  get.set_key(key);
  broker::CounterValue value;
  const grpc::Status status = Call(client, "/proto.Counter/Get", get, &value);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return value.value();
}

}  // namespace

std::unique_ptr<Client> GoBrokerPeer::LaunchGoPlugin(
    const Wiring& wiring) const {
  ClientOptions options = KvOptionsWith(wiring.tls);
  if (wiring.multiplex) options.multiplex = Multiplex::kRequire;
  auto client = Client::Launch(Peer("broker", {}), std::move(options));
  EXPECT_TRUE(client.ok()) << client.status();
  return client.ok() ? *std::move(client) : nullptr;
}

HostResult GoBrokerPeer::RunGoHost(const Wiring& wiring,
                                   std::vector<std::string> flags) {
  std::vector<std::string> argv = {
      PeerPath("broker"),
      "-host=" + RunfilePath("tests/support/broker/broker_plugin")};
  if (wiring.tls == TlsMode::kAutoMtls) argv.emplace_back("-automtls");
  if (wiring.multiplex) argv.emplace_back("-mux");
  argv.insert(argv.end(), flags.begin(), flags.end());
  std::vector<std::string> env;
  if (wiring.network == Endpoint::Network::kTcp) {
    env.emplace_back("BROKER_NETWORK=tcp");
  }
  return RunHost(
      {std::move(argv), data(), std::move(env), ScratchPath("output")});
}

grpc::Status GoBrokerPeer::PluginDials(const Client& client, std::uint32_t id) {
  broker::CounterPut put;
  put.set_add_server(id);
  put.set_key("x");
  put.set_value(id);
  broker::CounterEmpty empty;
  return Call(client, "/proto.Counter/Put", put, &empty);
}

std::uint32_t GoBrokerPeer::PluginAccepts(const Client& client, int count,
                                          const char* how) {
  return static_cast<std::uint32_t>(
      GetCounter(client, absl::StrCat(how, ":", count)));
}

void GoBrokerPeer::PluginStops(const Client& client) {
  GetCounter(client, "stop");
}

}  // namespace goplugin::testing

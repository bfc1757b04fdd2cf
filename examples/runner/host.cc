// A host whose plugin runs in a sandbox:
//   host PLUGIN
// PLUGIN is that of examples/bidirectional. Exit codes: 0 done, 1 failed, 2
// wrong usage.

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/bidirectional/counter.grpc.pb.h"
#include "examples/runner/bubblewrap_runner.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"

namespace {

// What the host offers to the plugin, through the sandbox's wall.
class AddHelperService final : public proto::AddHelper::Service {
 public:
  grpc::Status Sum(grpc::ServerContext*, const proto::SumRequest* request,
                   proto::SumResponse* response) override {
    response->set_r(request->a() + request->b());
    return grpc::Status::OK;
  }
};

absl::Status Add(goplugin::Client& client, std::int64_t value) {
  AddHelperService helper;
  const std::uint32_t id = client.broker().NextId();
  absl::StatusOr<std::unique_ptr<goplugin::BrokerServer>> server =
      client.broker().AcceptAndServe(id, {&helper});
  if (!server.ok()) return server.status();
  grpc::ClientContext context;
  proto::PutRequest request;
  request.set_add_server(id);
  request.set_key("answer");
  request.set_value(value);
  proto::Empty response;
  return client.Explain(
      client.NewStub<proto::Counter>()->Put(&context, request, &response));
}

absl::Status Show(goplugin::Client& client) {
  grpc::ClientContext context;
  proto::GetRequest request;
  request.set_key("answer");
  proto::GetResponse response;
  const grpc::Status status =
      client.NewStub<proto::Counter>()->Get(&context, request, &response);
  if (status.ok()) std::cout << response.value() << "\n";
  return client.Explain(status);
}

absl::Status Run(const std::string& plugin) {
  goplugin::ClientOptions options;
  options.handshake.magic_cookie_key = "BASIC_PLUGIN";
  options.handshake.magic_cookie_value = "hello";
  options.handshake.protocol_versions = {1};
  // The sandbox has no network.
  options.networks = {goplugin::Endpoint::Network::kUnix};
  absl::StatusOr<std::unique_ptr<goplugin::Client>> client =
      goplugin::Client::Launch(std::make_shared<BubblewrapRunner>(plugin),
                               options);
  if (!client.ok()) return client.status();
  absl::Status status = Add(**client, 1);
  if (status.ok()) status = Add(**client, 41);
  if (status.ok()) status = Show(**client);
  status.Update((*client)->Shutdown());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: host PLUGIN\n";
    return 2;
  }
  const absl::Status status = Run(argv[1]);
  if (status.ok()) return 0;
  std::cerr << "Error: " << goplugin::ToString(status) << "\n";
  return 1;
}

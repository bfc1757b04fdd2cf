// A host whose plugin calls back: the plugin counts, and the host does the sums
// for it, on a brokered connection. See README.md.

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "examples/bidirectional/counter.grpc.pb.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"

namespace {

constexpr char kUsage[] =
    "usage: host [--insecure] PLUGIN get KEY\n"
    "       host [--insecure] PLUGIN put KEY NUMBER\n";

// What the host offers to the plugin.
class AddHelperService final : public proto::AddHelper::Service {
 public:
  grpc::Status Sum(grpc::ServerContext*, const proto::SumRequest* request,
                   proto::SumResponse* response) override {
    response->set_r(request->a() + request->b());
    return grpc::Status::OK;
  }
};

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
}

absl::Status Get(goplugin::Client& client, const std::string& key) {
  grpc::ClientContext context;
  SetDeadline(context);
  proto::GetRequest request;
  request.set_key(key);
  proto::GetResponse response;
  const grpc::Status status =
      client.NewStub<proto::Counter>()->Get(&context, request, &response);
  if (!status.ok()) return client.Explain(status);
  std::cout << response.value() << "\n";
  return absl::OkStatus();
}

absl::Status Put(goplugin::Client& client, const std::string& key,
                 std::int64_t value) {
  AddHelperService helper;
  goplugin::Broker& broker = client.broker();
  const std::uint32_t id = broker.NextId();
  // Serves until it goes out of scope.
  absl::StatusOr<std::unique_ptr<goplugin::BrokerServer>> server =
      broker.AcceptAndServe(id, {&helper});
  if (!server.ok()) return server.status();

  grpc::ClientContext context;
  SetDeadline(context);
  proto::PutRequest request;
  request.set_add_server(id);  // the plugin dials it
  request.set_key(key);
  request.set_value(value);
  proto::Empty response;
  return client.Explain(
      client.NewStub<proto::Counter>()->Put(&context, request, &response));
}

absl::Status Act(goplugin::Client& client,
                 const std::vector<std::string>& words) {
  if (words[1] == "get") return Get(client, words[2]);
  std::int64_t value = 0;
  if (!absl::SimpleAtoi(words[3], &value)) {
    return absl::InvalidArgumentError("no number: " + words[3]);
  }
  return Put(client, words[2], value);
}

int Run(const std::vector<std::string>& words, bool insecure) {
  goplugin::ClientOptions options;
  options.handshake.magic_cookie_key = "BASIC_PLUGIN";
  options.handshake.magic_cookie_value = "hello";
  options.handshake.protocol_versions = {1};
  if (insecure) options.tls.mode = goplugin::TlsMode::kInsecure;
  absl::StatusOr<std::unique_ptr<goplugin::Client>> client =
      goplugin::Client::Launch(goplugin::Command{words[0]}, options);
  const absl::Status status =
      client.ok() ? Act(**client, words) : client.status();
  if (status.ok()) return 0;
  std::cerr << "Error: " << goplugin::ToString(status) << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const bool insecure = !words.empty() && words[0] == "--insecure";
  if (insecure) words.erase(words.begin());
  const bool get = words.size() == 3 && words[1] == "get";
  const bool put = words.size() == 4 && words[1] == "put";
  if (!get && !put) {
    std::cerr << kUsage;
    return 2;
  }
  return Run(words, insecure);
}

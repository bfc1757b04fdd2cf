// Several plugins at once: starts the programs of the command line at the same
// time, stores a value in each, tells when one ends by itself, and ends them.
//   many PLUGIN...
// Exit codes: 0 done, 1 one of them failed, 2 wrong usage.

#include <grpcpp/client_context.h>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/client.h"

namespace {

using goplugin::Client;

absl::Status Store(const Client& client, const std::string& key) {
  grpc::ClientContext context;
  proto::PutRequest request;
  request.set_key(key);
  request.set_value("world");
  proto::Empty response;
  return client.Explain(
      client.NewStub<proto::KV>()->Put(&context, request, &response));
}

// Says what went wrong with the plugin `name`; 1 for an error.
int Report(const std::string& name, const absl::Status& status) {
  if (status.ok()) return 0;
  // One insertion: OnExit's callbacks come on other threads.
  std::cerr << absl::StrCat(name, ": ", goplugin::ToString(status), "\n");
  return 1;
}

int Run(const std::vector<std::string>& programs) {
  std::vector<goplugin::LaunchOperation> launches;
  for (std::size_t i = 0; i < programs.size(); ++i) {
    goplugin::ClientOptions options;
    options.handshake.magic_cookie_key = "BASIC_PLUGIN";
    options.handshake.magic_cookie_value = "hello";
    options.handshake.protocol_versions = {1};
    options.log_sink = goplugin::MakeStderrLogSink(absl::StrCat(i, ": "));
    launches.push_back(
        Client::LaunchAsync(goplugin::Command{programs[i]}, options));
  }
  int failed = 0;
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < launches.size(); ++i) {
    const std::string name = absl::StrCat(i, " (", programs[i], ")");
    absl::StatusOr<std::unique_ptr<Client>> client = launches[i].Wait();
    failed |= Report(name, client.status());
    if (!client.ok()) continue;
    // OK for those that this program ends.
    (*client)->OnExit([name](goplugin::ExitStatus, const absl::Status& why) {
      Report(name, why);
    });
    const absl::Status stored = Store(**client, absl::StrCat("many", i));
    if (stored.ok()) std::cout << absl::StrCat("stored in ", name, "\n");
    failed |= Report(name, stored);
    clients.push_back(*std::move(client));
  }
  const absl::Status bye = Client::ShutdownAll(clients, absl::Seconds(10));
  return failed | Report("shutdown", bye);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc >= 2) return Run({argv + 1, argv + argc});
  std::cerr << "usage: many PLUGIN...\n";
  return 2;
}

// A host that speaks two versions of its own service: greets the arguments with
// whichever the plugin has. Which one that is, nothing here asks.

#include <grpcpp/support/status.h>

#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "examples/negotiated/greeter.h"
#include "goplugin/client.h"

namespace negotiated {
namespace {

using goplugin::Client;

int Fail(const absl::Status& status) {
  std::cerr << goplugin::ToString(status) << "\n";
  return 1;
}

int Run(goplugin::Command command) {
  goplugin::ClientOptions options;
  options.handshake.magic_cookie_key = "GREETER_PLUGIN";
  options.handshake.magic_cookie_value = "hello";
  options.handshake.protocol_versions = Greeters().versions();
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(std::move(command), options);
  if (!client.ok()) return Fail(client.status());
  std::cout << "version " << (*client)->protocol_version() << "\n";

  absl::StatusOr<std::unique_ptr<Greeter>> greeter = Greeters().For(**client);
  if (!greeter.ok()) return Fail(greeter.status());
  std::string text;
  const grpc::Status status = (*greeter)->Greet({"Ada", "Grace"}, &text);
  if (!status.ok()) return Fail((*client)->Explain(status));
  std::cout << text;
  greeter->reset();
  const absl::Status bye = (*client)->Shutdown();
  return bye.ok() ? 0 : Fail(bye);
}

}  // namespace
}  // namespace negotiated

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: host PLUGIN [ARGUMENT...]\n";
    return 2;
  }
  goplugin::Command command{argv[1]};
  command.args.assign(argv + 2, argv + argc);
  return negotiated::Run(std::move(command));
}

// A host that starts a plugin, says its pid on stdout, and then dies as its
// argument says, without an orderly end: "exit", or "wait" to be killed. With
// "survive" the plugin does not die with it: it says the reattach config in
// place of the pid, and waits to be killed. What follows are flags of
// server_plugin.

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/status/statusor.h"
#include "goplugin/client.h"
#include "goplugin/reattach.h"
#include "tests/support/harness/plugins.h"

int main(int argc, char** argv) {
  using goplugin::Client;
  const bool survive = argc > 1 && strcmp(argv[1], "survive") == 0;
  goplugin::Command command = goplugin::testing::ServerPlugin({});
  goplugin::ClientOptions options = goplugin::testing::KvOptions();
  for (int i = 2; i < argc; ++i) command.args.push_back(argv[i]);
  if (survive) {
    command.lifetime = goplugin::Command::Lifetime::kOutlivesHost;
    options.tls.mode = goplugin::TlsMode::kInsecure;
  }
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(command, options);
  if (!client.ok()) {
    fprintf(stderr, "%s\n", client.status().ToString().c_str());
    return 1;
  }
  if (survive) {
    const auto config = goplugin::FormatReattachProviders(
        {{"kv", *(*client)->reattach_config()}});
    printf("%s\n", config->c_str());
  } else {
    printf("%d\n", static_cast<int>((*client)->pid()));
  }
  fflush(stdout);
  if (argc > 1 && strcmp(argv[1], "exit") == 0) _exit(0);
  while (true) pause();
}

// A host that starts a plugin, says its pid on stdout, and then dies as its
// argument says, without an orderly end: "exit", or "wait" to be killed.

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/status/statusor.h"
#include "goplugin/client.h"
#include "tests/support/harness/plugins.h"

int main(int argc, char** argv) {
  using goplugin::Client;
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Launch(
      goplugin::testing::ServerPlugin({}), goplugin::testing::KvOptions());
  if (!client.ok()) {
    fprintf(stderr, "%s\n", client.status().ToString().c_str());
    return 1;
  }
  printf("%d\n", static_cast<int>((*client)->pid()));
  fflush(stdout);
  if (argc > 1 && strcmp(argv[1], "exit") == 0) _exit(0);
  while (true) pause();
}

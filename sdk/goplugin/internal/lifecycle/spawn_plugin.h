#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_SPAWN_PLUGIN_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_SPAWN_PLUGIN_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"
#include "goplugin/internal/process/socket_directory.h"
#include "goplugin/internal/process/spawn.h"
#include "goplugin/internal/tls/certificate.h"

namespace goplugin::internal {

// A plugin that was started and has said nothing yet.
struct SpawnedPlugin {
  ChildProcess child;
  std::unique_ptr<SocketDirectory> directory;
  // The host's one-time certificate; nullopt where AutoMTLS is off.
  absl::optional<KeyPair> key_pair;
};

// Makes directory, certificate and environment, and starts the program. Blocks:
// for the spawner's thread. `inherited` is the host's environment. Set
// `abandoned` from another thread to have it end soon, in kCancelled.
absl::StatusOr<SpawnedPlugin> SpawnPlugin(
    const Command& command, const ClientOptions& options,
    const std::vector<std::string>& inherited,
    const std::atomic<bool>& abandoned);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_SPAWN_PLUGIN_H_

#include "goplugin/internal/lifecycle/spawn_plugin.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"
#include "goplugin/internal/handshake/environment.h"
#include "goplugin/internal/lifecycle/key_pair_stock.h"
#include "goplugin/internal/process/detached.h"
#include "goplugin/internal/process/output_files.h"
#include "goplugin/internal/process/socket_directory.h"
#include "goplugin/internal/process/spawn.h"
#include "goplugin/internal/tls/certificate.h"

namespace goplugin::internal {
namespace {

bool UsesAutoMtls(const TlsOptions& tls) {
  return tls.mode == TlsMode::kAutoMtls ||
         tls.mode == TlsMode::kAutoMtlsIfOffered;
}

ProtocolVariables Variables(const ClientOptions& options,
                            const SpawnedPlugin& plugin) {
  ProtocolVariables variables;
  variables.magic_cookie_key = options.handshake.magic_cookie_key;
  variables.magic_cookie_value = options.handshake.magic_cookie_value;
  variables.protocol_versions = options.handshake.protocol_versions;
  variables.min_port = options.min_port;
  variables.max_port = options.max_port;
  variables.socket_directory = plugin.directory->path();
  variables.socket_group = options.socket_group;
  if (plugin.key_pair.has_value()) {
    variables.client_certificate_pem = plugin.key_pair->certificate_pem;
  }
  return variables;
}

}  // namespace

absl::StatusOr<SpawnedPlugin> SpawnPlugin(
    const Command& command, const ClientOptions& options,
    const std::vector<std::string>& inherited,
    const std::atomic<bool>& abandoned) {
  SpawnedPlugin plugin;
  absl::StatusOr<std::unique_ptr<SocketDirectory>> directory =
      SocketDirectory::Create(options.socket_directory, options.socket_group,
                              command.user);
  if (!directory.ok()) return directory.status();
  plugin.directory = *std::move(directory);

  if (UsesAutoMtls(options.tls)) {
    absl::StatusOr<KeyPair> key_pair = KeyPairStock::Take();
    if (!key_pair.ok()) return key_pair.status();
    plugin.key_pair = *std::move(key_pair);
  }

  ReapDetached();
  OutputFiles files;
  SpawnRequest request;
  request.command = command;
  if (command.lifetime == Command::Lifetime::kOutlivesHost) {
    absl::StatusOr<OutputFiles> opened =
        OpenOutputFiles(plugin.directory->path(), command.stderr_file);
    if (!opened.ok()) return opened.status();
    files = *std::move(opened);
    request.die_with_host = false;
    request.stdout_fd = files.stdout_file.append.get();
    request.stderr_fd = files.stderr_file.append.get();
  }
  request.environment =
      BuildEnvironment(command.inherit_env ? absl::MakeConstSpan(inherited)
                                           : absl::Span<const std::string>(),
                       command.env, Variables(options, plugin));
  request.abandoned = &abandoned;
  absl::StatusOr<ChildProcess> child = Spawn(request);
  if (!child.ok()) return child.status();
  plugin.child = *std::move(child);
  if (files.stdout_file.read.valid()) {
    plugin.child.stdout_pipe = std::move(files.stdout_file.read);
    plugin.child.stderr_pipe = std::move(files.stderr_file.read);
  }
  return plugin;
}

}  // namespace goplugin::internal

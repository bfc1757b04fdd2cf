#include "goplugin/internal/start/spawn_plugin.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"
#include "goplugin/internal/handshake/environment.h"
#include "goplugin/internal/process/detached.h"
#include "goplugin/internal/process/output_files.h"
#include "goplugin/internal/process/spawn.h"
#include "goplugin/internal/start/child_plugin_process.h"
#include "goplugin/internal/start/options_check.h"

namespace goplugin::internal {
namespace {

std::vector<std::string> CopyEnvironment() {
  std::vector<std::string> copy;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    copy.emplace_back(*entry);
  }
  return copy;
}

absl::StatusOr<ChildProcess> SpawnChild(
    const Command& command, const std::vector<std::string>& inherited,
    const StartPreparation& preparation, const std::atomic<bool>& abandoned) {
  ReapDetached();
  OutputFiles files;
  SpawnRequest request;
  request.command = command;
  if (command.lifetime == Command::Lifetime::kOutlivesHost) {
    absl::StatusOr<OutputFiles> opened =
        OpenOutputFiles(preparation.directory->path(), command.stderr_file);
    if (!opened.ok()) return opened.status();
    files = *std::move(opened);
    request.die_with_host = false;
    request.stdout_fd = files.stdout_file.append.get();
    request.stderr_fd = files.stderr_file.append.get();
  }
  request.environment =
      BuildEnvironment(command.inherit_env ? absl::MakeConstSpan(inherited)
                                           : absl::Span<const std::string>(),
                       command.env, preparation.variables);
  request.abandoned = &abandoned;
  absl::StatusOr<ChildProcess> child = Spawn(request);
  if (child.ok() && files.stdout_file.read.valid()) {
    child->stdout_pipe = std::move(files.stdout_file.read);
    child->stderr_pipe = std::move(files.stderr_file.read);
  }
  return child;
}

absl::StatusOr<StartedPlugin> SpawnPlugin(
    const Command& command, const std::vector<std::string>& inherited,
    const StartContext& context) {
  absl::StatusOr<StartPreparation> preparation =
      PrepareStart(context.options, command.user);
  if (!preparation.ok()) return preparation.status();
  absl::StatusOr<ChildProcess> child =
      SpawnChild(command, inherited, *preparation, *context.abandoned);
  if (!child.ok()) return child.status();
  StartedPlugin plugin;
  plugin.name = command.path;
  plugin.make_process = [child = *std::move(child)](
                            EventLoop& loop,
                            PluginProcess::Callbacks callbacks) mutable
      -> std::unique_ptr<PluginProcess> {
    return std::make_unique<ChildPluginProcess>(loop, std::move(child),
                                                std::move(callbacks));
  };
  plugin.directory = std::move(preparation->directory);
  plugin.key_pair = std::move(preparation->key_pair);
  return plugin;
}

}  // namespace

PluginStart SpawnStart(Command command) {
  PluginStart start;
  start.name = command.path;
  start.user = command.user;
  start.peers.user = command.user.has_value() ? command.user->uid : geteuid();
  start.peers.loopback_only = true;
  start.may_outlive = command.lifetime == Command::Lifetime::kOutlivesHost;
  start.check = [command](const ClientOptions& options) {
    return CheckOptions(command, options);
  };
  start.run = [command = std::move(command), inherited = CopyEnvironment()](
                  StartContext context, PluginStart::Done done) {
    Worker& spawner = context.spawner;
    spawner.Post([command, inherited, context = std::move(context),
                  done = std::move(done)]() mutable {
      std::move(done)(SpawnPlugin(command, inherited, context));
    });
  };
  return start;
}

}  // namespace goplugin::internal

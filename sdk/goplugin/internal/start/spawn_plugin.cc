#include "goplugin/internal/start/spawn_plugin.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/files/caller_places.h"
#include "goplugin/internal/files/output_files.h"
#include "goplugin/internal/handshake/environment.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/process/caller_context.h"
#include "goplugin/internal/process/left_children.h"
#include "goplugin/internal/process/spawn.h"
#include "goplugin/internal/process/spawn_result.h"
#include "goplugin/internal/process/spawners.h"
#include "goplugin/internal/start/child_plugin_process.h"
#include "goplugin/internal/start/options_check.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/internal/versions/steady_condition.h"

namespace goplugin::internal {
namespace {

using Caller = std::shared_ptr<const CallerContext>;

// How often it is looked whether anybody still waits.
constexpr absl::Duration kAbandonedPoll = absl::Milliseconds(10);

// What the spawner's thread brings.
class Answer {
 public:
  void Put(SpawnResult result) {
    const MutexLock lock(mutex_);
    result_.emplace(std::move(result));
    changed_.NotifyAll();
  }
  // Nothing, if it does not come in time.
  absl::optional<SpawnResult> Take(absl::Duration timeout) {
    const MutexLock lock(mutex_);
    changed_.WaitFor(mutex_, timeout, [this] {
      mutex_.AssertReaderHeld();
      return result_.has_value();
    });
    return std::exchange(result_, absl::nullopt);
  }

 private:
  absl::Mutex mutex_;
  SteadyCondition changed_;
  absl::optional<SpawnResult> result_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<ChildProcess> SpawnAndWait(SpawnRequest request,
                                          const Caller& caller,
                                          const StartContext& context) {
  auto prepared = PrepareSpawn(std::move(request), caller);
  if (!prepared.ok()) return prepared.status();
  auto answer = std::make_shared<Answer>();
  auto ticket = context.spawners.Spawn(*prepared, [answer](SpawnResult result) {
    answer->Put(std::move(result));
  });
  if (!ticket.ok()) return ticket.status();
  while (true) {
    absl::optional<SpawnResult> result = answer->Take(kAbandonedPoll);
    if (result.has_value()) return FinishSpawn(*prepared, *std::move(result));
    if (!*context.abandoned) continue;
    (*ticket)->Abandon();
    return MakeError(Reason::kCancelled, "the start was given up",
                     "the launch had ended before it");
  }
}

absl::StatusOr<ChildProcess> SpawnChild(const Command& command,
                                        const Caller& caller,
                                        const StartPreparation& preparation,
                                        const StartContext& context) {
  ReapLeftChildren();
  OutputFiles files;
  SpawnRequest request;
  request.command = command;
  if (command.lifetime == Command::Lifetime::kOutlivesHost) {
    absl::StatusOr<OutputFiles> opened = preparation.files->OpenOutput(
        command.stderr_file.empty()
            ? ""
            : CallersPath(*caller, command.stderr_file));
    if (!opened.ok()) return opened.status();
    files = *std::move(opened);
    // This host may die at any moment.
    const absl::Status marked = preparation.files->MarkOutliving(/*plugin=*/0);
    if (!marked.ok()) return marked;
    request.die_with_host = false;
    request.stdout_fd = files.stdout_file.append.get();
    request.stderr_fd = files.stderr_file.append.get();
  }
  request.environment = BuildEnvironment(
      command.inherit_env ? absl::MakeConstSpan(caller->environment)
                          : absl::Span<const std::string>(),
      command.env, preparation.variables);
  request.abandoned = context.abandoned.get();
  absl::StatusOr<ChildProcess> child =
      SpawnAndWait(std::move(request), caller, context);
  if (child.ok() && files.stdout_file.read.valid()) {
    // The mark without the number will do, only longer.
    preparation.files->MarkOutliving(child->pid).IgnoreError();
    child->stdout_pipe = std::move(files.stdout_file.read);
    child->stderr_pipe = std::move(files.stderr_file.read);
  }
  return child;
}

std::vector<std::string> NotesOf(const StartPreparation& preparation,
                                 const ChildProcess& child) {
  std::vector<std::string> notes;
  for (const std::string& note : {preparation.note, child.note}) {
    if (!note.empty()) notes.push_back(note);
  }
  return notes;
}

absl::StatusOr<StartedPlugin> SpawnPlugin(const Command& command,
                                          const Caller& caller,
                                          const CallerPlaces& places,
                                          const StartContext& context) {
  FilesRequest files = FilesRequestOf(context.options, places);
  files.place.user = command.user;
  absl::StatusOr<StartPreparation> preparation =
      PrepareStart(context.options, std::move(files));
  if (!preparation.ok()) return preparation.status();
  absl::StatusOr<ChildProcess> child =
      SpawnChild(command, caller, *preparation, context);
  if (!child.ok()) return child.status();
  StartedPlugin plugin;
  plugin.name = command.path;
  plugin.note = absl::StrJoin(NotesOf(*preparation, *child), "; ");
  // Ends the child if nobody takes it over.
  plugin.make_process =
      [&pool = context.pool, child = SpawnResult(*std::move(child))](
          EventLoop& loop, PluginProcess::Callbacks callbacks) mutable
      -> std::unique_ptr<PluginProcess> {
    return std::make_unique<ChildPluginProcess>(loop, pool, child.TakeChild(),
                                                std::move(callbacks));
  };
  plugin.files = std::move(preparation->files);
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
  start.stdin_is_empty = command.stdin_mode == Command::Stdin::kDevNull;
  start.may_outlive = command.lifetime == Command::Lifetime::kOutlivesHost;
  start.check = [command](const ClientOptions& options) {
    return CheckOptions(command, options);
  };
  start.run = [command = std::move(command), caller = ReadCallerContext(),
               places = ReadCallerPlaces()](StartContext context,
                                            PluginStart::Done done) {
    const std::shared_ptr<Lane> steps = context.steps;
    steps->Post([command, caller, places, context = std::move(context),
                 done = std::move(done)]() mutable {
      *context.begun = true;
      std::move(done)(SpawnPlugin(command, caller, places, context));
    });
  };
  return start;
}

}  // namespace goplugin::internal

#include "goplugin/internal/start/run_plugin.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/files/caller_places.h"
#include "goplugin/internal/handshake/address.h"
#include "goplugin/internal/handshake/environment.h"
#include "goplugin/internal/handshake/spelling.h"
#include "goplugin/internal/start/options_check.h"
#include "goplugin/internal/start/runner_plugin_process.h"

namespace goplugin::internal {
namespace {

using Descriptors = RunnerPluginProcess::Descriptors;
using Owner = RunnerPluginProcess::Owner;

std::string Said(const absl::Status& status) {
  return Quote(status.ToString(absl::StatusToStringMode::kWithNoExtraData));
}

absl::Status StartError(const Runner& runner, std::string what,
                        std::string evidence, std::string hint) {
  ErrorDetails details;
  details.reason = Reason::kSpawn;
  details.what = std::move(what);
  details.evidence = {absl::StrCat("runner ", runner.Name()),
                      std::move(evidence)};
  details.hint = std::move(hint);
  return MakeError(details);
}

absl::Status NullRunner() {
  return MakeError(Reason::kOptions, "the runner is null",
                   "give Client::Launch or Client::Reattach an object of a "
                   "class that you derived from Runner");
}

// `details` bring reason, what and hint.
absl::Status RunnerFailed(Runner& runner, const char* step,
                          const absl::Status& status, ErrorDetails details) {
  details.evidence = {absl::StrCat(step, " failed: ", Said(status))};
  const std::string diagnosis = runner.Diagnose();
  if (!diagnosis.empty()) {
    details.evidence.push_back(
        absl::StrCat("the runner's diagnosis: ", Quote(diagnosis)));
  }
  return MakeError(details);
}

absl::Status StartFailed(Runner& runner, const absl::Status& status) {
  ErrorDetails details;
  details.reason = Reason::kSpawn;
  details.what =
      absl::StrCat("the runner ", runner.Name(), " could not start the plugin");
  details.hint =
      "the cause lies in the runner, or in what it starts plugins with: try "
      "the same start by hand";
  return RunnerFailed(runner, "Start", status, std::move(details));
}

absl::Status AttachFailed(Runner& runner, const absl::Status& status) {
  ErrorDetails details;
  details.reason = Reason::kReattachNotFound;
  details.what = absl::StrCat("the runner ", runner.Name(),
                              " could not take hold of the plugin");
  details.hint =
      "the plugin has ended, or the runner does not know it: see whether it "
      "runs, and use the reattach config of the one that does";
  return RunnerFailed(runner, "Attach", status, std::move(details));
}

// One direction of a runner's translation, whose answers are checked.
AddressTranslation::Translate Checked(
    std::shared_ptr<const Runner> runner, const char* step,
    absl::StatusOr<Endpoint> (Runner::*translate)(const Endpoint&) const) {
  return [runner = std::move(runner), step,
          translate](const Endpoint& endpoint) -> absl::StatusOr<Endpoint> {
    absl::StatusOr<Endpoint> there = ((*runner).*translate)(endpoint);
    absl::optional<AddressProblem> problem;
    if (there.ok()) {
      there = Canonical(*std::move(there));
      problem = CheckAddress(*there);
    }
    if (there.ok() && !problem.has_value()) return there;
    ErrorDetails details;
    details.reason = Reason::kTransport;
    details.what = absl::StrCat("the runner ", runner->Name(),
                                " could not translate an address");
    details.evidence = {absl::StrCat(step, " of ", Quote(endpoint.ToString())),
                        there.ok()
                            ? absl::StrCat("it gave ", Quote(there->ToString()),
                                           ": ", problem->what)
                            : Said(there.status())};
    details.hint =
        "the plugin's sockets must be in the directory that the runner was "
        "given, or where its translation knows them";
    return MakeError(details);
  };
}

AddressTranslation TranslationOf(const std::shared_ptr<Runner>& runner) {
  AddressTranslation translation;
  translation.to_here = Checked(runner, "PluginToHost", &Runner::PluginToHost);
  translation.to_there = Checked(runner, "HostToPlugin", &Runner::HostToPlugin);
  return translation;
}

// What keeps `descriptor` from being watched; "" for nothing.
std::string CheckDescriptor(int descriptor, bool may_be_file) {
  struct stat file = {};
  if (fstat(descriptor, &file) != 0) {
    return absl::StrCat("descriptor ", descriptor, ": ", std::strerror(errno));
  }
  if (S_ISDIR(file.st_mode) || (S_ISREG(file.st_mode) && !may_be_file)) {
    return absl::StrCat("descriptor ", descriptor, " is a file, which ",
                        "can't be waited for");
  }
  const int flags = fcntl(descriptor, F_GETFL);
  if ((flags & O_ACCMODE) == O_WRONLY) {
    return absl::StrCat("descriptor ", descriptor, " is open for writing only");
  }
  fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return "";
}

// A number given twice is closed once.
Descriptors TakeDescriptors(const RunnerProcess& process) {
  Descriptors taken;
  taken.stdout_fd.reset(process.stdout_fd);
  if (process.stderr_fd != process.stdout_fd) {
    taken.stderr_fd.reset(process.stderr_fd);
  }
  if (process.exit_fd != process.stdout_fd &&
      process.exit_fd != process.stderr_fd) {
    taken.exit_fd.reset(process.exit_fd);
  }
  return taken;
}

enum class Output { kRequired, kOptional };

absl::Status CheckProcess(const Runner& runner, const Descriptors& process,
                          Output output) {
  struct Row {
    const char* field;
    const UniqueFd& descriptor;
    bool is_output;
  };
  const Row rows[] = {{"stdout_fd", process.stdout_fd, true},
                      {"stderr_fd", process.stderr_fd, true},
                      {"exit_fd", process.exit_fd, false}};
  for (const Row& row : rows) {
    if (row.is_output && output == Output::kOptional &&
        !row.descriptor.valid()) {
      continue;
    }
    std::string problem =
        CheckDescriptor(row.descriptor.get(), /*may_be_file=*/row.is_output);
    if (problem.empty()) continue;
    return StartError(
        runner,
        absl::StrCat("the runner gave no ", row.field, " that can be used"),
        std::move(problem),
        "it must give open descriptors, and give them away: RunnerProcess in "
        "runner.h says which");
  }
  return absl::OkStatus();
}

RunnerPlugin MakePlugin(Pool& pool, const std::shared_ptr<Runner>& runner,
                        Owner owner, const std::string& id,
                        Descriptors descriptors) {
  RunnerPlugin plugin;
  plugin.name =
      id.empty() ? runner->Name() : absl::StrCat(runner->Name(), " ", id);
  plugin.make_process =
      [&pool, runner, owner, descriptors = std::move(descriptors)](
          EventLoop& loop, PluginProcess::Callbacks callbacks) mutable
      -> std::unique_ptr<PluginProcess> {
    return std::make_unique<RunnerPluginProcess>(loop, pool, runner, owner,
                                                 std::move(descriptors),
                                                 std::move(callbacks));
  };
  return plugin;
}

// Where the plugin finds `directory`.
absl::StatusOr<std::string> PlaceInside(Runner& runner,
                                        const std::string& directory) {
  absl::StatusOr<std::string> inside = runner.PlaceSocketDirectory(directory);
  const bool usable = inside.ok() && !inside->empty() && inside->front() == '/';
  if (!usable) {
    return StartError(
        runner, "the runner gave no place for the plugin's socket directory",
        absl::StrCat("PlaceSocketDirectory of ", Quote(directory), ": ",
                     inside.ok() ? Quote(*inside) : Said(inside.status())),
        "give an absolute path, where the plugin will find that directory");
  }
  return inside;
}

absl::StatusOr<RunnerRequest> MakeRequest(Runner& runner,
                                          const StartContext& context,
                                          StartPreparation& preparation) {
  RunnerRequest request;
  request.socket_directory = preparation.variables.socket_directory;
  if (!request.socket_directory.empty()) {
    absl::StatusOr<std::string> inside =
        PlaceInside(runner, request.socket_directory);
    if (!inside.ok()) return inside.status();
    preparation.variables.socket_directory = *std::move(inside);
  }
  request.environment = BuildEnvironment({}, {}, preparation.variables);
  request.timeout = context.Remaining();
  return request;
}

absl::StatusOr<StartedPlugin> RunPlugin(const std::shared_ptr<Runner>& runner,
                                        const CallerPlaces& caller,
                                        const StartContext& context) {
  FilesRequest files = FilesRequestOf(context.options, caller);
  files.sees_only_lent = true;
  absl::StatusOr<StartPreparation> preparation =
      PrepareStart(context.options, std::move(files));
  if (!preparation.ok()) return preparation.status();
  StartedPlugin plugin;
  plugin.translation = TranslationOf(runner);
  absl::StatusOr<RunnerRequest> request =
      MakeRequest(*runner, context, *preparation);
  if (!request.ok()) return request.status();
  absl::StatusOr<RunnerProcess> process = runner->Start(*request);
  if (!process.ok()) return StartFailed(*runner, process.status());
  Descriptors descriptors = TakeDescriptors(*process);
  const absl::Status usable =
      CheckProcess(*runner, descriptors, Output::kRequired);
  if (!usable.ok()) {
    runner->Kill().IgnoreError();
    return usable;
  }
  RunnerPlugin made = MakePlugin(context.pool, runner, Owner::kClient,
                                 process->id, std::move(descriptors));
  plugin.name = std::move(made.name);
  plugin.make_process = std::move(made.make_process);
  plugin.files = std::move(preparation->files);
  plugin.key_pair = std::move(preparation->key_pair);
  plugin.note = std::move(preparation->note);
  plugin.diagnose = [runner] { return runner->Diagnose(); };
  return plugin;
}

}  // namespace

PluginStart RunnerStart(std::shared_ptr<Runner> runner) {
  PluginStart start;
  if (runner != nullptr) start.name = runner->Name();
  start.check = [has_runner = runner != nullptr](const ClientOptions& options) {
    return has_runner ? CheckRunnerOptions(options) : NullRunner();
  };
  start.run = [runner = std::move(runner), caller = ReadCallerPlaces()](
                  StartContext context, PluginStart::Done done) {
    Lane& steps = *context.steps;
    steps.Post([runner, caller, context = std::move(context),
                done = std::move(done)]() mutable {
      *context.begun = true;
      if (*context.abandoned) {
        return std::move(done)(absl::CancelledError());
      }
      // What it starts may ask for a signal at this thread's end.
      Pool::KeepThisThread();
      std::move(done)(RunPlugin(runner, caller, context));
    });
  };
  return start;
}

absl::StatusOr<RunnerPlugin> AttachByRunner(
    Pool& pool, const std::shared_ptr<Runner>& runner,
    const ReattachConfig& config) {
  if (runner == nullptr) return NullRunner();
  // As for Start.
  Pool::KeepThisThread();
  absl::StatusOr<RunnerProcess> process = runner->Attach(config);
  if (!process.ok()) return AttachFailed(*runner, process.status());
  Descriptors descriptors = TakeDescriptors(*process);
  const absl::Status usable =
      CheckProcess(*runner, descriptors, Output::kOptional);
  if (!usable.ok()) return usable;
  return MakePlugin(pool, runner, config.test ? Owner::kOthers : Owner::kClient,
                    process->id, std::move(descriptors));
}

}  // namespace goplugin::internal

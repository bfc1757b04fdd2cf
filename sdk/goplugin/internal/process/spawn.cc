#include "goplugin/internal/process/spawn.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/prepared_spawn.h"

namespace goplugin::internal {
namespace {

bool HasNul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

absl::Status NulError(const char* where, const std::string& text) {
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = absl::StrCat(where, " holds a NUL byte");
  details.evidence = {Quote(text)};
  details.hint = "remove it: no program can be given one";
  return MakeError(details);
}

absl::Status CheckRequest(const SpawnRequest& request) {
  const Command& command = request.command;
  if (command.path.empty()) {
    return MakeError(Reason::kOptions, "the plugin command has no path",
                     "set Command::path to the plugin program's file");
  }
  if (HasNul(command.path)) return NulError("Command::path", command.path);
  if (HasNul(command.working_directory)) {
    return NulError("Command::working_directory", command.working_directory);
  }
  for (const std::string& argument : command.args) {
    if (HasNul(argument)) return NulError("Command::args", argument);
  }
  for (const std::string& variable : request.environment) {
    if (HasNul(variable)) return NulError("Command::env", variable);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<PreparedSpawn>> PrepareSpawn(
    SpawnRequest request, std::shared_ptr<const CallerContext> caller) {
  absl::Status valid = CheckRequest(request);
  if (!valid.ok()) return valid;
  auto prepared =
      std::make_shared<PreparedSpawn>(std::move(request), std::move(caller));
  absl::Status done = prepared->Prepare();
  if (!done.ok()) return done;
  return prepared;
}

absl::StatusOr<ChildProcess> FinishSpawn(
    const std::shared_ptr<PreparedSpawn>& prepared, SpawnResult result) {
  return prepared->Finish(std::move(result));
}

}  // namespace goplugin::internal

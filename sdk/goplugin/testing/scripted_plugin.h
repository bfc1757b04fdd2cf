#ifndef GOPLUGIN_TESTING_SCRIPTED_PLUGIN_H_
#define GOPLUGIN_TESTING_SCRIPTED_PLUGIN_H_

#include <string>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"
#include "goplugin/exit_status.h"

namespace goplugin::testing {

// A plugin that misbehaves as it is told, for tests of what a host does about
// it: a process of its own, the program //:scripted_plugin. A plain value; what
// is left alone makes a plugin that serves, and answers each call with
// UNIMPLEMENTED.
//
// Example, in a cc_test with data = ["@go_plugin_cpp//:scripted_plugin"] and
// env = {"SCRIPTED_PLUGIN": "$(rootpath @go_plugin_cpp//:scripted_plugin)"}:
//   goplugin::testing::ScriptedPlugin plugin;
//   plugin.handshake = options.handshake;
//   plugin.stderr_text = "no licence found\n";
//   plugin.end_at_start = {goplugin::ExitStatus::Kind::kExited, 3};
//   EXPECT_THAT(goplugin::Client::Launch(
//                   plugin.ToCommand(std::getenv("SCRIPTED_PLUGIN")), options),
//               AllOf(StatusIs(goplugin::Reason::kExitedEarly),
//                     HasStderr("no licence")));
struct ScriptedPlugin {
  // The host's. With other values than the host's, it does what any plugin does
  // about a wrong cookie or version.
  HandshakeConfig handshake = {};

  // The steps, in this order. Written to stderr, as it is.
  std::string stderr_text = {};
  // So many lines of hclog's JSON: "line 1", "line 2", ...
  int log_lines = 0;
  // It waits.
  absl::Duration start_delay = absl::ZeroDuration();
  // It ends, without a handshake line.
  absl::optional<ExitStatus> end_at_start = absl::nullopt;
  // It prints this in place of a handshake line, byte for byte (lines end in a
  // newline), and does no more, but stays. "" is a plugin that hangs.
  absl::optional<std::string> line = absl::nullopt;

  // From here on it serves. The first call ends it, or is never answered.
  // Health, stdio and Shutdown work as ever.
  absl::optional<ExitStatus> end_in_call = absl::nullopt;
  bool hang_in_call = false;
  // It answers the Shutdown call and stays, whatever SIGTERM says.
  bool ignore_shutdown = false;

  // `program`: the path of //:scripted_plugin. Further arguments, variables and
  // so on may be added to the command.
  Command ToCommand(std::string program) const;
};

}  // namespace goplugin::testing

#endif  // GOPLUGIN_TESTING_SCRIPTED_PLUGIN_H_

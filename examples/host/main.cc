// A host for plugins that serve proto.KV: starts one, shows what happens, and
// puts and gets values. See README.md.

#include <cstdio>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/host/actions.h"
#include "examples/host/arguments.h"
#include "examples/host/console.h"
#include "examples/host/plugin_output.h"
#include "examples/host/report.h"
#include "goplugin/client.h"

namespace host {
namespace {

using goplugin::Client;

goplugin::ClientOptions MakeOptions(const Arguments& arguments,
                                    const std::shared_ptr<Console>& console) {
  goplugin::ClientOptions options;
  options.handshake.magic_cookie_key = "BASIC_PLUGIN";
  options.handshake.magic_cookie_value = "hello";
  options.handshake.protocol_versions = {1};
  options.tls.mode = arguments.tls;
  options.log_sink = MakeLogPrinter(console);
  options.stdio_sink = std::make_shared<StdioPrinter>(console);
  options.on_phase = [console](goplugin::LaunchPhase phase,
                               absl::Duration since_launch) {
    ReportPhase(*console, phase, since_launch);
  };
  return options;
}

// Client::Launch would do. The callback, however, comes after those of the
// phases and log entries, which keeps what is shown in order.
absl::StatusOr<std::unique_ptr<Client>> Launch(
    const Arguments& arguments, const std::shared_ptr<Console>& console) {
  goplugin::Command command{arguments.plugin};
  command.args = arguments.plugin_arguments;
  absl::StatusOr<std::unique_ptr<Client>> result;
  absl::Notification done;
  Client::LaunchAsync(command, MakeOptions(arguments, console),
                      [&](absl::StatusOr<std::unique_ptr<Client>> client) {
                        result = std::move(client);
                        done.Notify();
                      });
  done.WaitForNotification();
  return result;
}

// As with Launch: Client::Shutdown would do, but the callback comes after the
// last log entry.
void Shutdown(Client& client, Console& console) {
  const absl::Time start = absl::Now();
  absl::Status result;
  absl::Notification done;
  client.ShutdownAsync([&](absl::Status status) {
    result = std::move(status);
    done.Notify();
  });
  done.WaitForNotification();
  console.Say("shutdown", absl::StrFormat("%.1f ms", absl::ToDoubleMilliseconds(
                                                         absl::Now() - start)));
  // It is gone all the same, and our work is done: no reason to fail.
  if (!result.ok()) ReportError(console, result);
  if (client.exit_status()) {
    console.Say("exit", client.exit_status()->ToString());
  }
}

int Run(const Arguments& arguments, const std::shared_ptr<Console>& console) {
  console->Say("launch", arguments.plugin);
  absl::StatusOr<std::unique_ptr<Client>> client = Launch(arguments, console);
  if (!client.ok()) {
    ReportError(*console, client.status());
    return 1;
  }
  ReportConnection(*console, **client);
  const absl::Status status = Act(**client, arguments, *console);
  if (!status.ok()) ReportError(*console, status);
  Shutdown(**client, *console);
  return status.ok() ? 0 : 1;
}

int Main(int argc, char** argv) {
  const absl::StatusOr<Arguments> arguments = ParseArguments(argc, argv);
  if (!arguments.ok()) {
    absl::FPrintF(stderr, "host: %s\n\n%s", arguments.status().message(),
                  kUsage);
    return 2;
  }
  if (arguments->action == Arguments::Action::kHelp) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  return Run(*arguments, std::make_shared<Console>());
}

}  // namespace
}  // namespace host

int main(int argc, char** argv) { return host::Main(argc, argv); }

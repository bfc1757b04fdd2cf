#include "goplugin/internal/serve/serve_plugin.h"

#include <grpc/grpc.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/internal/process/free_descriptors.h"
#include "goplugin/internal/serve/abseil_clock.h"
#include "goplugin/internal/serve/broken_pipes.h"
#include "goplugin/internal/serve/check_options.h"
#include "goplugin/internal/serve/free_threads.h"
#include "goplugin/internal/serve/host_request.h"
#include "goplugin/internal/serve/running_plugin.h"

namespace goplugin::internal {
namespace {

void Print(const std::string& text) { std::fputs(text.c_str(), stderr); }

// The prefix gives the line its level in the host's log.
int Fail(const absl::Status& status) {
  Print(absl::StrCat(
      "[ERROR] the plugin can't start: ", std::string(status.message()), "\n"));
  return EXIT_FAILURE;
}

int NoHost(const std::string& cookie_key) {
  Print(absl::StrCat(
      "This program is a plugin. It is started by the program that uses it "
      "and\ndoes nothing when run by hand: please start that program "
      "instead.\n(Programs that use it set the environment variable ",
      cookie_key, " to a value the two agree on.)\n"));
  return EXIT_FAILURE;
}

const char* ReadEnvironment(const char* name) { return std::getenv(name); }

}  // namespace

int ServePlugin(const ServeOptions& options) {
  const BrokenPipes survived;
  absl::Status checked = CheckServeOptions(options);
  if (!checked.ok()) return Fail(checked);
  const bool test = options.test_mode != nullptr;
  if (!test && !CookieMatches(options.magic_cookie_key,
                              options.magic_cookie_value, ReadEnvironment)) {
    return NoHost(options.magic_cookie_key);
  }
  absl::StatusOr<HostRequest> request =
      ReadHostRequest(ReadEnvironment, options.min_port, options.max_port);
  if (!request.ok()) return Fail(request.status());
  // A host that reattaches has no part in what may be left of another's.
  if (test) {
    request->client_certificate.clear();
    request->multiplex = false;
  }
  absl::Status enough = CheckFreeDescriptors("plugin");
  if (enough.ok()) enough = CheckFreeThreads();
  if (!enough.ok()) return Fail(enough);
  absl::optional<AbseilClock> clock;
  if (!test) clock.emplace();
  // Never given back: the last grpc_shutdown() of a process joins gRPC's own
  // threads, one of which may sit in a poll of up to 10 s (seen on 1.51). The
  // host would lose patience and kill.
  grpc_init();
  absl::StatusOr<std::unique_ptr<RunningPlugin>> plugin =
      test ? RunningPlugin::StartTest(options, *request)
           : RunningPlugin::Start(options, *request);
  if (!plugin.ok()) return Fail(plugin.status());
  clock.reset();
  if (!(*plugin)->RunToEnd()) {
    Print(
        "[WARN] a service method does not return although its call is "
        "cancelled: the plugin exits without waiting for it\n");
    std::_Exit(EXIT_SUCCESS);
  }
  // A plugin that was started by hand has nobody who waits.
  if (!test) RunningPlugin::LeaveToExit(*std::move(plugin));
  return EXIT_SUCCESS;
}

}  // namespace goplugin::internal

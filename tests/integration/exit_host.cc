// A host that ends in the middle of things: `exit_host WAY PHASE CLIENT
// HANDLE`. exits_test.cc has what each word means, and what must hold
// afterwards.

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "goplugin/log_sink.h"
#include "goplugin/runner.h"
#include "goplugin/telemetry.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using Launched = absl::StatusOr<std::unique_ptr<Client>>;

// What a test takes for an end in its own words, and not by a crash.
constexpr int kExitCode = 7;

std::unique_ptr<Client> global_client;

std::unique_ptr<Client>& LocalClient() {
  static std::unique_ptr<Client> client;
  return client;
}

// Never destroyed: callbacks come back to them while the process exits.
absl::Notification& Reached() {
  static auto* reached = new absl::Notification;
  return *reached;
}
absl::Notification& Never() {
  static auto* never = new absl::Notification;
  return *never;
}

// Its Start does not return before the process is gone.
class WaitingRunner final : public Runner {
 public:
  std::string Name() const override { return "waiting runner"; }
  absl::StatusOr<RunnerProcess> Start(const RunnerRequest&) override {
    Reached().Notify();
    Never().WaitForNotification();
    return absl::UnavailableError("never");
  }
  absl::StatusOr<ExitStatus> Wait() override { return ExitStatus(); }
  absl::Status Kill() override { return absl::OkStatus(); }
};

ClientOptions Options() {
  ClientOptions options = KvOptions();
  options.tls.mode = TlsMode::kAutoMtlsIfOffered;
  options.shutdown.rpc_timeout = absl::Milliseconds(500);
  options.shutdown.exit_timeout = absl::Milliseconds(500);
  options.shutdown.terminate_timeout = absl::Milliseconds(500);
  options.shutdown.kill_timeout = absl::Milliseconds(500);
  return options;
}

// The plugin keeps this host's stdin open for as long as it lives. With
// EXIT_HOST_PROGRAM it is that one, and runs as nobody.
Command Marked(Command command) {
  command.stdin_mode = Command::Stdin::kInherit;
  const char* program = getenv("EXIT_HOST_PROGRAM");
  if (program == nullptr) return command;
  command.path = program;
  command.working_directory = "/";
  command.user = Command::User{65534, 65534, {}};
  return command;
}

void TellAt(ClientOptions& options, LaunchPhase phase, bool block) {
  options.on_phase = [phase, block](LaunchPhase at, absl::Duration) {
    if (at != phase) return;
    Reached().Notify();
    if (block) Never().WaitForNotification();
  };
}

void WaitALittle() {
  std::random_device random;
  absl::SleepFor(absl::Microseconds(random() % 20000));
}

LaunchOperation StartRunner() {
  LaunchOperation operation = Client::LaunchAsync(
      std::make_shared<WaitingRunner>(), Options(), [](Launched) {});
  Reached().WaitForNotification();
  return operation;
}

// The program is EXIT_HOST_BIG, a file whose hash takes for ever.
LaunchOperation StartChecked() {
  Command command{getenv("EXIT_HOST_BIG")};
  command.secure_config.emplace();
  command.secure_config->checksum = std::string(32, 'x');
  LaunchOperation operation = Client::LaunchAsync(Marked(std::move(command)),
                                                  Options(), [](Launched) {});
  WaitALittle();
  return operation;
}

LaunchOperation StartUntil(Command command, LaunchPhase phase, bool block) {
  ClientOptions options = Options();
  TellAt(options, phase, block);
  LaunchOperation operation = Client::LaunchAsync(
      Marked(std::move(command)), std::move(options), [](Launched) {});
  Reached().WaitForNotification();
  return operation;
}

std::unique_ptr<Client> MustLaunch() {
  Launched client = Client::Launch(Marked(ServerPlugin({})), Options());
  if (client.ok()) return *std::move(client);
  fprintf(stderr, "%s\n", client.status().ToString().c_str());
  _exit(70);
}

// Calls `call` again and again, on a thread that nobody waits for.
void Keep(std::function<void()> call) {
  std::thread([call = std::move(call)] {
    while (true) call();
  }).detach();
}

// Threads that are in the middle of each method that waits.
void KeepCalling() {
  Client& client = *MustLaunch().release();
  Keep([] {
    Client::Launch(Marked(ServerPlugin({})), Options()).status().IgnoreError();
  });
  Keep([] {
    Client::Launch(Marked(Misbehave({"silent"})), Options())
        .status()
        .IgnoreError();
  });
  Keep([] {
    Client::LaunchAsync(Command(), Options(), [](Launched) {})
        .CancelAndWait()
        .IgnoreError();
  });
  Keep([&client] { client.Ping(absl::InfiniteDuration()).IgnoreError(); });
  Keep([&client] {
    client.Explain(grpc::Status(grpc::StatusCode::UNAVAILABLE, "?"))
        .IgnoreError();
  });
  Keep([&client] {
    client.WaitForExit(absl::InfiniteDuration()).status().IgnoreError();
  });
  Keep([&client] {
    DialOptions options;
    options.timeout = absl::InfiniteDuration();
    client.broker().Dial(1, options).status().IgnoreError();
  });
  WaitALittle();
}

[[noreturn]] void ExitHere() { exit(kExitCode); }

// Ends with its first call, of whichever method the SDK calls first.
class ExitingRunner final : public Runner {
 public:
  std::string Name() const override { return "exiting runner"; }
  absl::StatusOr<RunnerProcess> Start(const RunnerRequest&) override {
    ExitHere();
  }
  absl::StatusOr<ExitStatus> Wait() override { return ExitStatus(); }
  absl::Status Kill() override { return absl::OkStatus(); }
};

class ExitingSink final : public LogSink {
 public:
  void Log(const LogEntry&) override { ExitHere(); }
};

class ExitingStdioSink final : public StdioSink {
 public:
  void Write(const StdioChunk&) override { ExitHere(); }
};

class ExitingTelemetry final : public Telemetry {
 public:
  void OnLaunch(const LaunchEvent&) override { ExitHere(); }
};

// A callback of a client that is there, and is left.
void ExitInsideOf(Client& client, const std::string& callback) {
  if (callback == "on_exit") {
    client.OnExit([](ExitStatus, absl::Status) { ExitHere(); });
    kill(client.pid(), SIGKILL);
  } else if (callback == "shutdown") {
    client.ShutdownAsync([](absl::Status) { ExitHere(); });
  } else {
    client.ExplainAsync(grpc::Status(grpc::StatusCode::UNAVAILABLE, "?"),
                        [](absl::Status) { ExitHere(); });
  }
}

// Has a callback of the library's call exit().
void ExitInside(const std::string& callback) {
  ClientOptions options = Options();
  Command command = Marked(ServerPlugin({}));
  if (callback == "runner") {
    Client::LaunchAsync(std::make_shared<ExitingRunner>(), options,
                        [](Launched) {});
  } else if (callback == "done") {
    Client::LaunchAsync(command, options, [](Launched) { ExitHere(); });
  } else if (callback == "phase") {
    options.on_phase = [](LaunchPhase at, absl::Duration) {
      if (at == LaunchPhase::kLine) ExitHere();
    };
    Client::LaunchAsync(command, options, [](Launched) {});
  } else if (callback == "sink") {
    options.log_sink = std::make_shared<ExitingSink>();
    Client::LaunchAsync(Marked(Misbehave({"stderr-forever"})), options,
                        [](Launched) {});
  } else if (callback == "stderr_sink") {
    options.stderr_sink = std::make_shared<ExitingStdioSink>();
    Client::LaunchAsync(Marked(Misbehave({"stderr-forever"})), options,
                        [](Launched) {});
  } else if (callback == "stdio_sink") {
    options.stdio_sink = std::make_shared<ExitingStdioSink>();
    Client::LaunchAsync(Marked(Misbehave({"noise-forever"})), options,
                        [](Launched) {});
  } else if (callback == "telemetry") {
    options.telemetry = std::make_shared<ExitingTelemetry>();
    Client::LaunchAsync(command, options, [](Launched) {});
  } else {
    ExitInsideOf(*MustLaunch().release(), callback);
  }
  while (true) pause();
}

// Until the launch is where `phase` says.
LaunchOperation StartLaunch(const std::string& phase) {
  if (absl::StartsWith(phase, "inside ")) ExitInside(phase.substr(7));
  if (phase == "threads") KeepCalling();
  if (phase == "runner") return StartRunner();
  if (phase == "checked") return StartChecked();
  if (phase == "line") {
    return StartUntil(Misbehave({"silent"}), LaunchPhase::kStarted, false);
  }
  if (phase == "connect") {
    return StartUntil(Misbehave({"never-accepts"}), LaunchPhase::kLine, false);
  }
  if (phase == "handover") {
    return StartUntil(ServerPlugin({}), LaunchPhase::kConnected, true);
  }
  if (phase != "begun") return {};
  LaunchOperation operation =
      Client::LaunchAsync(Marked(ServerPlugin({})), Options(), [](Launched) {});
  WaitALittle();
  return operation;
}

// Dropped in the callback that brought it: its end is under way when that
// returns.
void LaunchAndDrop() {
  absl::Notification dropped;
  Client::LaunchAsync(Marked(ServerPlugin({})), Options(),
                      [&dropped](Launched client) {
                        client->reset();
                        dropped.Notify();
                      });
  dropped.WaitForNotification();
}

// `local` is main's own.
void PlaceClient(const std::string& kind, std::unique_ptr<Client>& local) {
  if (kind == "local") local = MustLaunch();
  if (kind == "leaked") MustLaunch().release();
  if (kind == "global") global_client = MustLaunch();
  if (kind == "static") LocalClient() = MustLaunch();
  if (kind == "dropped") LaunchAndDrop();
}

void HandleLaunch(const std::string& handle, LaunchOperation& operation) {
  if (handle == "dropped") operation = {};
  if (handle == "cancelled") operation.Cancel();
  if (handle == "waited") operation.CancelAndWait().IgnoreError();
  if (handle == "all") {
    Client::ShutdownAll(absl::Milliseconds(500)).IgnoreError();
  }
}

// Does not return, but for "return".
void End(const std::string& way) {
  if (way == "exit") exit(kExitCode);
  if (way == "_exit") _exit(kExitCode);
  if (way == "quick_exit") quick_exit(kExitCode);
  if (way == "throw") throw std::runtime_error("thrown by the host");
  if (way != "sigterm") return;
  raise(SIGTERM);
  pause();
}

int Run(char** words) {
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  std::unique_ptr<Client> local;
  PlaceClient(words[3], local);
  LaunchOperation operation = StartLaunch(words[2]);
  HandleLaunch(words[4], operation);
  End(words[1]);
  return kExitCode;
}

}  // namespace
}  // namespace goplugin::testing

int main(int argc, char** argv) {
  if (argc == 5) return goplugin::testing::Run(argv);
  fprintf(stderr, "usage: exit_host WAY PHASE CLIENT HANDLE\n");
  return 64;
}

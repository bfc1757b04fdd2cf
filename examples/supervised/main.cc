// A plugin that is always there: calls it ten times a second through one stub,
// and tells what becomes of it meanwhile.
//   supervised PLUGIN
// Reads lines: "kill" kills the plugin's process, "upgrade PROGRAM" puts
// another one in its place; the end of them ends it.
// Exit codes: 0 done, 1 it did not start or a call failed, 2 wrong usage.

#include <grpcpp/client_context.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/supervisor.h"

namespace {

using goplugin::Client;
using goplugin::Supervisor;

// One insertion: callbacks come on other threads.
void Say(const std::string& line) {
  std::cout << absl::StrCat(line, "\n") << std::flush;
}

std::string OrError(const absl::Status& status, const std::string& success) {
  return status.ok() ? success : goplugin::ToString(status);
}

absl::StatusOr<std::unique_ptr<Supervisor>> Start(const std::string& program) {
  goplugin::ClientOptions options;
  options.handshake.magic_cookie_key = "BASIC_PLUGIN";
  options.handshake.magic_cookie_value = "hello";
  options.handshake.protocol_versions = {1};
  goplugin::SupervisorOptions supervision;
  // To ask twice does no harm: not even the call under way fails.
  supervision.retry_safe_methods = {"/proto.KV/Get"};
  // Each new process starts with what the host wants it to know.
  supervision.prepare = [](Client& plugin,
                           std::chrono::system_clock::time_point deadline) {
    grpc::ClientContext context;
    context.set_deadline(deadline);
    proto::PutRequest request;
    request.set_key("greeting");
    request.set_value("hello");
    proto::Empty response;
    const grpc::Status status =
        plugin.NewStub<proto::KV>()->Put(&context, request, &response);
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                        status.error_message());
  };
  return Supervisor::Start(goplugin::Command{program}, options, supervision);
}

void TellWhatHappens(Supervisor& supervisor) {
  supervisor.OnState([](goplugin::SupervisorState state,
                        const absl::Status& why) {
    const bool well = state == goplugin::SupervisorState::kReady ||
                      state == goplugin::SupervisorState::kStopped;
    Say(absl::StrCat("state: ", goplugin::SupervisorStateName(state),
                     well ? "" : "; ", well ? "" : goplugin::ToString(why)));
  });
  supervisor.OnGeneration(
      [](int, std::uint64_t generation, const std::shared_ptr<Client>& client) {
        Say(absl::StrCat("generation ", generation, ": pid ", client->pid()));
      });
}

// The stub outlives every process behind it. True when no call has failed.
bool Call(const Supervisor& supervisor, const std::atomic<bool>& over) {
  const auto kv = supervisor.NewStub<proto::KV>();
  int calls = 0;
  int failed = 0;
  absl::Duration slowest;
  for (; !over; ++calls) {
    grpc::ClientContext context;
    const absl::Time begun = absl::Now();
    context.set_deadline(absl::ToChronoTime(begun + absl::Seconds(10)));
    proto::GetRequest request;
    request.set_key("greeting");
    proto::GetResponse response;
    const grpc::Status status = kv->Get(&context, request, &response);
    slowest = std::max(slowest, absl::Now() - begun);
    if (!status.ok()) {
      ++failed;
      Say(absl::StrCat("a call failed: ",
                       goplugin::ToString(supervisor.Explain(status))));
    }
    absl::SleepFor(absl::Milliseconds(100));
  }
  Say(absl::StrCat(calls, " calls, ", failed, " failed, the slowest took ",
                   absl::ToInt64Milliseconds(slowest), " ms"));
  return failed == 0;
}

void Obey(Supervisor& supervisor, const std::string& line) {
  absl::string_view program = line;
  if (line == "kill") {
    const std::shared_ptr<Client> client = supervisor.client();
    if (client != nullptr) kill(client->pid(), SIGKILL);
  } else if (absl::ConsumePrefix(&program, "upgrade ")) {
    Say(absl::StrCat(
        "upgrade: ",
        OrError(supervisor.Replace(goplugin::Command{std::string(program)}),
                "done")));
  } else {
    Say("kill, or upgrade PROGRAM");
  }
}

int Run(const std::string& program) {
  absl::StatusOr<std::unique_ptr<Supervisor>> plugin = Start(program);
  if (!plugin.ok()) {
    std::cerr << goplugin::ToString(plugin.status()) << "\n";
    return 1;
  }
  TellWhatHappens(**plugin);
  std::atomic<bool> over{false};
  bool all_well = false;
  std::thread caller([&] { all_well = Call(**plugin, over); });
  std::string line;
  while (std::getline(std::cin, line)) Obey(**plugin, line);
  over = true;
  caller.join();
  return all_well ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return Run(argv[1]);
  std::cerr << "usage: supervised PLUGIN\n";
  return 2;
}

// A process that is forked after the first use has none of the SDK's threads,
// and its locks as they were: every call says so at once.

#include <grpcpp/support/status.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/stuck/gate.h"
#include "tests/support/stuck/stuck_runner.h"

namespace goplugin::testing {
namespace {

using Launched = absl::StatusOr<std::unique_ptr<Client>>;

// A call that waits for a thread that is not there waits for ever.
constexpr unsigned kHangs = 10;

bool SaysForked(const absl::Status& status) {
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  return details.has_value() && details->reason == Reason::kForked;
}

// Runs `body` in a forked child: "" when it returns true, else what became of
// the child.
std::string InForkedChild(absl::FunctionRef<bool()> body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(kHangs);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return "no child";
  if (WIFSIGNALED(status)) {
    return WTERMSIG(status) == SIGALRM
               ? "hangs"
               : absl::StrCat("signal ", WTERMSIG(status));
  }
  return WEXITSTATUS(status) == 0 ? "" : "another answer";
}

// For launches: what the callback was told before the call returned, or soon.
class Told {
 public:
  Client::LaunchCallback Callback() {
    return [this](Launched launched) {
      forked_ = SaysForked(launched.status());
      told_ = true;
    };
  }
  // Ended by the alarm if it is never told.
  bool Forked() const {
    while (!told_) absl::SleepFor(absl::Milliseconds(1));
    return forked_;
  }

 private:
  std::atomic<bool> told_{false};
  std::atomic<bool> forked_{false};
};

ReattachConfig SomePlugin(const Client& client) {
  return *client.reattach_config();
}

struct Call {
  const char* name;
  // In the child, with a client of the parent's: whether it says kForked.
  bool (*says_forked)(Client& client, const ReattachConfig& config);
};

void PrintTo(const Call& call, std::ostream* out) { *out << call.name; }

std::shared_ptr<Runner> SomeRunner() {
  return std::make_shared<StuckRunner>(Misbehave({"silent"}),
                                       StuckRunner::Gates());
}

const Call kStarts[] = {
    {"Launch",
     [](Client&, const ReattachConfig&) {
       return SaysForked(
           Client::Launch(Misbehave({"silent"}), PlainOptions()).status());
     }},
    {"LaunchOfARunner",
     [](Client&, const ReattachConfig&) {
       return SaysForked(Client::Launch(SomeRunner(), PlainOptions()).status());
     }},
    {"Reattach",
     [](Client&, const ReattachConfig& config) {
       return SaysForked(Client::Reattach(config, PlainOptions()).status());
     }},
    {"Attach",
     [](Client&, const ReattachConfig& config) {
       return SaysForked(
           Client::Attach("unix:" + config.endpoint.address, PlainOptions())
               .status());
     }},
    {"LaunchAsync",
     [](Client&, const ReattachConfig&) {
       Told told;
       LaunchOperation operation = Client::LaunchAsync(
           Misbehave({"silent"}), PlainOptions(), told.Callback());
       operation.Cancel();
       return told.Forked();
     }},
    {"ReattachAsync",
     [](Client&, const ReattachConfig& config) {
       Told told;
       Client::ReattachAsync(config, PlainOptions(), told.Callback());
       return told.Forked();
     }},
    {"AttachAsync",
     [](Client&, const ReattachConfig& config) {
       Told told;
       Client::AttachAsync("unix:" + config.endpoint.address, nullptr,
                           PlainOptions(), told.Callback());
       return told.Forked();
     }},
};

const Call kOfClients[] = {
    {"Ping",
     [](Client& client, const ReattachConfig&) {
       return SaysForked(client.Ping(absl::InfiniteDuration()));
     }},
    {"Shutdown",
     [](Client& client, const ReattachConfig&) {
       return SaysForked(client.Shutdown());
     }},
    {"ShutdownAsync",
     [](Client& client, const ReattachConfig&) {
       std::atomic<int> told{-1};
       client.ShutdownAsync(
           [&told](absl::Status status) { told = SaysForked(status) ? 1 : 0; });
       while (told < 0) absl::SleepFor(absl::Milliseconds(1));
       return told == 1;
     }},
    {"Kill", [](Client& client,
                const ReattachConfig&) { return SaysForked(client.Kill()); }},
    {"Detach",
     [](Client& client, const ReattachConfig&) {
       return SaysForked(client.Detach().status());
     }},
    {"ReattachConfig",
     [](Client& client, const ReattachConfig&) {
       return SaysForked(client.reattach_config().status());
     }},
    {"WaitForExit",
     [](Client& client, const ReattachConfig&) {
       return SaysForked(client.WaitForExit(absl::InfiniteDuration()).status());
     }},
    {"Explain",
     [](Client& client, const ReattachConfig&) {
       return SaysForked(client.Explain(grpc::Status::CANCELLED));
     }},
    {"OnExit",
     [](Client& client, const ReattachConfig&) {
       std::atomic<int> told{-1};
       client.OnExit([&told](ExitStatus, absl::Status status) {
         told = SaysForked(status) ? 1 : 0;
       });
       while (told < 0) absl::SleepFor(absl::Milliseconds(1));
       return told == 1;
     }},
    {"ShutdownAllOfThese",
     [](Client& client, const ReattachConfig&) {
       Client* const clients[] = {&client};
       return SaysForked(
           Client::ShutdownAll(clients, absl::InfiniteDuration()));
     }},
    {"Dial",
     [](Client& client, const ReattachConfig&) {
       return SaysForked(client.broker().Dial(1).status());
     }},
    {"AcceptAndServe",
     [](Client& client, const ReattachConfig&) {
       return SaysForked(client.broker().AcceptAndServe(1, {}).status());
     }},
    {"Listen",
     [](Client& client, const ReattachConfig&) {
       return SaysForked(client.broker().Listen().status());
     }},
};

// What has no error to give does not wait either.
const Call kOthers[] = {
    {"Destructor",
     [](Client& client, const ReattachConfig&) {
       client.~Client();
       return true;
     }},
    {"Facts",
     [](Client& client, const ReattachConfig&) {
       client.exited();
       client.exit_status();
       client.pid();
       client.endpoint();
       client.handshake();
       client.timings();
       client.channel();
       client.broker().NextId();
       return true;
     }},
    // There are none in this process.
    {"ShutdownAll",
     [](Client&, const ReattachConfig&) {
       const absl::Status status =
           Client::ShutdownAll(absl::InfiniteDuration());
       return status.ok() || SaysForked(status);
     }},
};

// A worker that returns from where its parent's server is a local variable.
class ForkedServerTest : public HarnessTest {};

TEST_F(ForkedServerTest, IsLeftToTheParent) {
  const std::unique_ptr<Client> client = MustLaunch(ServerPlugin({"--broker"}));
  ASSERT_NE(client, nullptr);
  proto::KV::Service service;
  absl::StatusOr<std::unique_ptr<BrokerServer>> server =
      client->broker().AcceptAndServe(client->broker().NextId(), {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  absl::StatusOr<std::unique_ptr<BrokerListener>> listener =
      client->broker().Listen();
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_EQ(InForkedChild([&] {
              server->reset();
              listener->reset();
              return true;
            }),
            "");
  for (const Endpoint& place :
       {(*server)->endpoint(), (*listener)->endpoint()}) {
    EXPECT_EQ(access(place.address.c_str(), F_OK), 0) << place.address;
  }
}

class ForkTest : public HarnessTest,
                 public ::testing::WithParamInterface<Call> {};

// The plugin is mute: whoever talks to it waits.
TEST_P(ForkTest, SaysSoAtOnce) {
  const std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  const ReattachConfig config = SomePlugin(*client);
  Stop(*client);
  EXPECT_EQ(
      InForkedChild([&] { return GetParam().says_forked(*client, config); }),
      "");
  ASSERT_EQ(kill(client->pid(), SIGCONT), 0);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

std::string NameOfCall(const ::testing::TestParamInfo<Call>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Starts, ForkTest, ::testing::ValuesIn(kStarts),
                         NameOfCall);
INSTANTIATE_TEST_SUITE_P(OfClients, ForkTest, ::testing::ValuesIn(kOfClients),
                         NameOfCall);
INSTANTIATE_TEST_SUITE_P(Others, ForkTest, ::testing::ValuesIn(kOthers),
                         NameOfCall);

// Threads that launch and end while this one forks, as often as it gets round.
class Busy {
 public:
  Busy() {
    for (int i = 0; i < 4; ++i) {
      threads_.emplace_back([this] {
        while (!stop_) MustLaunch(ServerPlugin({})).reset();
      });
    }
  }
  ~Busy() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

class ForkAtAnyMomentTest : public HarnessTest {};

TEST_F(ForkAtAnyMomentTest, NoLockIsWaitedFor) {
  const std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  const ReattachConfig config = SomePlugin(*client);
  std::vector<std::string> wrong;
  {
    const Busy busy;
    for (int i = 0; i < 60 && wrong.size() < 3; ++i) {
      for (const Call& call :
           {kStarts[0], kStarts[4], kOfClients[0], kOfClients[9], kOthers[2]}) {
        const std::string end =
            InForkedChild([&] { return call.says_forked(*client, config); });
        if (!end.empty()) wrong.push_back(absl::StrCat(call.name, ": ", end));
      }
    }
  }
  EXPECT_EQ(wrong, std::vector<std::string>());
  EXPECT_TRUE(Answers(*client));
}

}  // namespace
}  // namespace goplugin::testing

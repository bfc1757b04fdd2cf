// Plugins that end while they are used.

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

using Exit = std::pair<ExitStatus, absl::Status>;

grpc::Status Call(const Client& client, const std::string& key) {
  grpc::ClientContext context;
  proto::GetRequest request;
  request.set_key(key);
  proto::GetResponse response;
  return client.NewStub<proto::KV>()->Get(&context, request, &response);
}

class CrashTest : public HarnessTest {
 protected:
  // A call that ends the plugin; Explain, OnExit and Shutdown all say how.
  void ExpectCrash(const Command& command, const std::string& key,
                   const ExpectedError& expected, ExitStatus status) {
    std::unique_ptr<Client> client = MustLaunch(command);
    ASSERT_NE(client, nullptr);
    Mailbox<Exit> exit;
    client->OnExit([&exit](ExitStatus how, absl::Status why) {
      exit.Put({how, std::move(why)});
    });
    const grpc::Status call = Call(*client, key);
    ASSERT_FALSE(call.ok());
    why_ = client->Explain(call);
    ExpectError(why_, expected);
    ExpectError(why_, {Reason::kCrashed, "the call: gRPC said", ""});
    const absl::optional<Exit> told = exit.Take();
    ASSERT_TRUE(told.has_value());
    ExpectError(told->second, expected);
    EXPECT_EQ(told->first, status) << told->first.ToString();
    EXPECT_EQ(client->exit_status(), status);
    EXPECT_EQ(GetErrorDetails(why_)->exit_status, status);
    ExpectError(client->Shutdown(), expected);
    ExpectError(client->Kill(), expected);
  }

  absl::Status why_;
};

ExitStatus Exited(int code) { return {ExitStatus::Kind::kExited, code}; }
ExitStatus Signalled(int number) {
  return {ExitStatus::Kind::kSignalled, number};
}

// An answer of ExplainAsync that is waited for.
class Explained {
 public:
  Explained(const Client& client, const grpc::Status& call) {
    client.ExplainAsync(
        call, [this](absl::Status why) { answer_.Put(std::move(why)); });
  }
  absl::Status Take() {
    absl::optional<absl::Status> answer = answer_.Take();
    EXPECT_TRUE(answer.has_value()) << "never told";
    return answer.value_or(absl::OkStatus());
  }

 private:
  Mailbox<absl::Status> answer_;
};

TEST_F(CrashTest, ExplainAsyncTellsTheSame) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  const grpc::Status call = Call(*client, "!exit:7");
  const absl::Status why = Explained(*client, call).Take();
  ExpectError(why, {Reason::kCrashed, "exit code 7", "gave up by itself"});
  ExpectError(why, {Reason::kCrashed, "the call: gRPC said", ""});
  EXPECT_EQ(ToString(client->Explain(call)), ToString(why));
}

// Where the code is that needs it, and Explain is refused.
TEST_F(CrashTest, ExplainAsyncInACallback) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  Mailbox<absl::Status> answer;
  client->OnExit([&](ExitStatus, const absl::Status&) {
    client->ExplainAsync(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"),
                         [&](absl::Status why) { answer.Put(std::move(why)); });
  });
  EXPECT_FALSE(Call(*client, "!exit:7").ok());
  const absl::optional<absl::Status> why = answer.Take();
  ASSERT_TRUE(why.has_value());
  ExpectError(*why, {Reason::kCrashed, "exit code 7", ""});
}

TEST_F(CrashTest, ExplainAsyncOfAPluginThatLivesOn) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Explained(*client, grpc::Status::OK).Take(), absl::OkStatus());
  const grpc::Status own(grpc::StatusCode::NOT_FOUND, "x");
  EXPECT_EQ(ToString(Explained(*client, own).Take()),
            ToString(client->Explain(own)));
  // What may mean an exit waits for one, and many do so at the same time.
  const grpc::Status lost(grpc::StatusCode::UNAVAILABLE, "lost");
  const absl::Time start = absl::Now();
  std::vector<std::unique_ptr<Explained>> many;
  for (int i = 0; i < 20; ++i) {
    many.push_back(std::make_unique<Explained>(*client, lost));
  }
  for (const auto& one : many) {
    const absl::Status why = one->Take();
    EXPECT_EQ(why.code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(absl::StrContains(ToString(why), "the plugin lives")) << why;
  }
  EXPECT_GE(absl::Now() - start, absl::Seconds(1));
  EXPECT_LT(absl::Now() - start, kGrace);
  // One that still waits is told at the end.
  Explained last(*client, lost);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  ExpectError(last.Take(), {Reason::kShutDown, "UNAVAILABLE", ""});
}

TEST_F(CrashTest, ExitInACall) {
  ExpectCrash(ServerPlugin({"--die-in-call=exit"}), "key",
              {Reason::kCrashed, "exit code 3", "gave up by itself"},
              Exited(3));
}

TEST_F(CrashTest, ExitWithSuccessInACall) {
  ExpectCrash(ServerPlugin({}), "!exit:0",
              {Reason::kCrashed, "exit code 0", "until it is asked"},
              Exited(0));
}

TEST_F(CrashTest, AbortInACall) {
  ExpectCrash(ServerPlugin({"--die-in-call=abort"}), "key",
              {Reason::kCrashed, "SIGABRT", "the plugin panicked"},
              Signalled(SIGABRT));
  EXPECT_TRUE(absl::StrContains(GetErrorDetails(why_)->stderr_tail,
                                "terminate called after throwing 'the cause'"));
}

TEST_F(CrashTest, KilledInACall) {
  ExpectCrash(ServerPlugin({"--die-in-call=signal"}), "key",
              {Reason::kCrashed, "SIGKILL", "something killed it"},
              Signalled(SIGKILL));
}

TEST_F(CrashTest, TerminatedBySomebody) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  const grpc::Status call = Call(*client, "!signal:15");
  ASSERT_FALSE(call.ok());
  const ExpectedError expected = {Reason::kCrashed, "SIGTERM",
                                  "KillMode=mixed"};
  ExpectError(client->Explain(call), expected);
  EXPECT_EQ(client->exit_status(), Signalled(SIGTERM));
  // Long before the host's own end: somebody meant the plugin alone.
  absl::SleepFor(absl::Milliseconds(5500));
  ExpectError(client->Shutdown(), expected);
}

TEST_F(CrashTest, PanicInACall) {
  ExpectCrash(ServerPlugin({}), "!panic:all is lost",
              {Reason::kCrashed, "exit code 2", "panicked"}, Exited(2));
  EXPECT_TRUE(
      absl::StrContains(GetErrorDetails(why_)->panic, "panic: all is lost"));
}

TEST_F(CrashTest, DiesBetweenCalls) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({"--die-after=1s"}));
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(client->WaitForExit(kPatience).ok());
  EXPECT_TRUE(client->exited());
  const grpc::Status call = Call(*client, "key");
  ASSERT_FALSE(call.ok());
  ExpectError(client->Explain(call),
              {Reason::kCrashed, "SIGKILL", "something killed it"});
}

// Of a plugin that lives, the call's own error remains.
TEST_F(CrashTest, ExplainOfALivingPlugin) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(client->Explain(grpc::Status::OK).ok());
  const absl::Status none = client->Explain(Call(*client, "no-such-key"));
  EXPECT_EQ(none.code(), absl::StatusCode::kNotFound);
  const absl::optional<ErrorDetails> details = GetErrorDetails(none);
  ASSERT_TRUE(details.has_value());
  EXPECT_TRUE(absl::StrContains(none.message(), "no key no-such-key"));
  EXPECT_TRUE(absl::StrContains(details->hint, "the plugin's own answer"));
  EXPECT_FALSE(client->exited());
}

TEST_F(CrashTest, ExplainOfAnInternalErrorIsBounded) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  const absl::Time start = absl::Now();
  const absl::Status why = client->Explain(Call(*client, "!error:20000"));
  EXPECT_LT(absl::Now() - start, absl::Seconds(1) + kGrace);
  EXPECT_EQ(why.code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(absl::StrContains(why.message(), "eeee"));
}

TEST_F(CrashTest, ExplainAfterShutdown) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  const grpc::Status call = Call(*client, "key");
  ASSERT_FALSE(call.ok());
  ExpectError(client->Explain(call),
              {Reason::kShutDown, "shut down", "no calls after"});
}

TEST_F(CrashTest, WaitForExitTimesOut) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  const absl::Time start = absl::Now();
  ExpectError(client->WaitForExit(absl::Milliseconds(100)).status(),
              {Reason::kTimeout, "100ms", "Shutdown or Kill"});
  EXPECT_LT(absl::Now() - start, kGrace);
  EXPECT_FALSE(client->exit_status().has_value());
}

TEST_F(CrashTest, OnExitAfterTheExit) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  Mailbox<Exit> exit;
  client->OnExit([&exit](ExitStatus how, absl::Status why) {
    exit.Put({how, std::move(why)});
  });
  const absl::optional<Exit> told = exit.Take();
  ASSERT_TRUE(told.has_value());
  EXPECT_TRUE(told->second.ok()) << told->second;
  EXPECT_TRUE(told->first.success());
}

// Every call that is under way ends, none hangs.
TEST_F(CrashTest, AllCallsUnderWayEnd) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back(
        [&] { EXPECT_FALSE(Call(*client, "!sleep:60000").ok()); });
  }
  EXPECT_FALSE(Call(*client, "!exit:3").ok());
  for (std::thread& caller : callers) caller.join();
  ExpectError(client->Shutdown(),
              {Reason::kCrashed, "exit code 3", "gave up by itself"});
}

TEST_F(CrashTest, TheDestructorAfterACrashReturns) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  EXPECT_FALSE(Call(*client, "!exit:3").ok());
}

}  // namespace
}  // namespace goplugin::testing

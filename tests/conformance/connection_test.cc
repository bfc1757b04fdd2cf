// The two streams that the SDK keeps open to a plugin: with plugins that answer
// few calls at once, and over connections that are cut.

#include <grpc/grpc.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "goplugin/log_sink.h"
#include "tests/conformance/peers.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

constexpr char kTooFew[] = "too few calls at once";

class ConnectionPeersTest : public PeersTest {
 protected:
  explicit ConnectionPeersTest(std::vector<std::string> needed)
      : PeersTest(std::move(needed)) {
    options_.tls.mode = TlsMode::kInsecure;
    options_.log_sink = log_;
  }

  void TearDown() override {
    client_.reset();
    PeersTest::TearDown();
  }

  void Launch(Command command) {
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Launch(std::move(command), options_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  int CountEntries(const std::string& part) const {
    int count = 0;
    for (const LogEntry& entry : log_->entries()) {
      count += absl::StrContains(entry.message, part) ? 1 : 0;
    }
    return count;
  }

  ClientOptions options_ = KvOptions();
  std::shared_ptr<RecordingLogSink> log_ = std::make_shared<RecordingLogSink>();
  std::shared_ptr<RecordingStdioSink> stdio_ =
      std::make_shared<RecordingStdioSink>();
  std::unique_ptr<Client> client_;
};

class FewWorkersTest : public ConnectionPeersTest {
 protected:
  FewWorkersTest() : ConnectionPeersTest({"plugin_python"}) {
    options_.stdio_sink = stdio_;
  }

  Command Plugin(std::vector<std::string> flags) const {
    Command command = Peer("plugin_python", {});
    command.path = PeerFile("venv/bin/python");
    command.args = {RunfilePath("tests/conformance/python/few_workers.py")};
    command.args.insert(command.args.end(), flags.begin(), flags.end());
    return command;
  }

  // A call that hangs would take its 20 s.
  void ExpectAnswers() {
    const absl::Time begin = absl::Now();
    EXPECT_EQ(Get(*client_, "hello"), "hello");
    EXPECT_LT(absl::Now() - begin, absl::Seconds(15));
  }

  void ExpectOneEntryAndAnOrderlyEnd() {
    const absl::Status ping = client_->Ping();
    EXPECT_TRUE(ping.ok()) << ping;
    EXPECT_TRUE(log_->WaitForMessage(kTooFew));
    EXPECT_EQ(Get(*client_, "again"), "again");
    const absl::Status bye = client_->Shutdown();
    EXPECT_TRUE(bye.ok()) << bye;
    EXPECT_TRUE(client_->exit_status()->success())
        << client_->exit_status()->ToString();
    EXPECT_EQ(CountEntries(kTooFew), 1);
  }
};

TEST_F(FewWorkersTest, OneThreadForTheOutputAlone) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=1", "--no-broker"})));
  ExpectAnswers();
  ExpectOneEntryAndAnOrderlyEnd();
}

TEST_F(FewWorkersTest, OneThreadForTheBrokerAlone) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=1", "--no-stdio"})));
  ExpectAnswers();
  ExpectOneEntryAndAnOrderlyEnd();
}

// The Ping is there before the streams, and answered after them.
TEST_F(FewWorkersTest, OneThreadAndAPingAtOnce) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=1"})));
  EXPECT_TRUE(client_->Ping().ok());
  ExpectAnswers();
  ExpectOneEntryAndAnOrderlyEnd();
}

TEST_F(FewWorkersTest, OneThread) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=1"})));
  ExpectAnswers();
  ExpectError(client_->broker().Dial(1).status(),
              {Reason::kBrokerUnsupported, kTooFew, "threads"});
  ExpectOneEntryAndAnOrderlyEnd();
}

// The call has the thread before a stream can have it.
TEST_F(FewWorkersTest, OneThreadThatALongFirstCallHas) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=1"})));
  EXPECT_EQ(Get(*client_, "!sleep:7"), "!sleep:7");
  ExpectAnswers();
  ExpectOneEntryAndAnOrderlyEnd();
}

// What others may have to wait for a call that does not end.
TEST_F(FewWorkersTest, TwoThreadsOfWhichAFirstCallKeepsOne) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=2"})));
  grpc::ClientContext context;
  std::future<grpc::Status> endless = std::async(std::launch::async, [&] {
    proto::GetRequest request;
    request.set_key("!sleep:60");
    proto::GetResponse response;
    return client_->NewStub<proto::KV>()->Get(&context, request, &response);
  });
  const absl::Time give_up = absl::Now() + absl::Seconds(35);
  while (CountEntries(kTooFew) == 0 && absl::Now() < give_up) {
    absl::SleepFor(absl::Milliseconds(100));
  }
  ExpectAnswers();
  context.TryCancel();
  EXPECT_EQ(endless.get().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(CountEntries(kTooFew), 1);
}

TEST_F(FewWorkersTest, TwoThreads) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=2"})));
  ExpectAnswers();
  // The broker's stream is left as it was.
  ExpectError(client_->broker().Dial(1, {absl::Milliseconds(100)}).status(),
              {Reason::kBrokerTimeout, "announced no", ""});
  ExpectOneEntryAndAnOrderlyEnd();
}

TEST_F(FewWorkersTest, ThreeThreadsAreEnough) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=3"})));
  EXPECT_EQ(Get(*client_, "!print:printed"), "!print:printed");
  EXPECT_TRUE(stdio_->WaitForPiped("printed\n"));
  EXPECT_TRUE(client_->Ping().ok());
  EXPECT_EQ(CountEntries(kTooFew), 0);
}

// Found by a Ping, when the user's own calls have taken the rest.
TEST_F(FewWorkersTest, ThreeThreadsOfWhichACallHasOne) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=3"})));
  ASSERT_TRUE(client_->Ping().ok());
  const std::unique_ptr<proto::KV::Stub> kv = client_->NewStub<proto::KV>();
  grpc::ClientContext context;
  proto::GetRequest request;
  request.set_key("!sleep:10");
  proto::GetResponse response;
  grpc::CompletionQueue queue;
  const auto call = kv->AsyncGet(&context, request, &queue);
  grpc::Status status;
  call->Finish(&response, &status, &queue);
  const absl::Status ping = client_->Ping(absl::Seconds(8));
  EXPECT_TRUE(ping.ok()) << ping;
  EXPECT_TRUE(log_->WaitForMessage(kTooFew));
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  EXPECT_TRUE(status.ok()) << status.error_message();
  queue.Shutdown();
}

class FewStreamsTest : public FewWorkersTest,
                       public ::testing::WithParamInterface<int> {};

// The plugin may still count a call that has ended for the client, and refuse
// the next (RST_STREAM, REFUSED_STREAM), which gRPC's client leaves at that.
TEST_P(FewStreamsTest, LetCallsThroughOneAfterTheOther) {
  ASSERT_NO_FATAL_FAILURE(Launch(
      Plugin({"--workers=10", "--max-streams=" + std::to_string(GetParam())})));
  ASSERT_TRUE(log_->WaitForMessage(kTooFew));
  bool taken = false;
  for (int i = 0; i < 20 && !taken; ++i) {
    taken = Get(*client_, "hello") == "hello";
  }
  EXPECT_TRUE(taken);
  const absl::Time give_up = absl::Now() + absl::Seconds(10);
  absl::Status ping = client_->Ping();
  while (!ping.ok() && absl::Now() < give_up) ping = client_->Ping();
  EXPECT_TRUE(ping.ok()) << ping;
  // The Shutdown call may be refused as well: then it is killed.
  client_->Shutdown().IgnoreError();
  EXPECT_TRUE(client_->exited());
  EXPECT_EQ(CountEntries(kTooFew), 1);
}

INSTANTIATE_TEST_SUITE_P(OneAndTwo, FewStreamsTest, ::testing::Values(1, 2));

// What is more than that it refuses, instead of letting it wait.
TEST_F(FewWorkersTest, FewCalls) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=10", "--max-calls=2"})));
  ASSERT_TRUE(log_->WaitForMessage(kTooFew));
  ExpectAnswers();
  ExpectOneEntryAndAnOrderlyEnd();
}

TEST_F(FewWorkersTest, ExplainHasAWordForACallThatHung) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=1"})));
  grpc::Status call;
  // One may overtake the streams, which are opened just now.
  for (int i = 0; call.ok() && i < 100; ++i) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::milliseconds(1200));
    proto::GetResponse response;
    call = client_->NewStub<proto::KV>()->Get(&context, proto::GetRequest(),
                                              &response);
  }
  ASSERT_EQ(call.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  const absl::Status soon = client_->Explain(call);
  EXPECT_EQ(soon.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(absl::StrContains(soon.message(), "no health check")) << soon;
  ASSERT_TRUE(log_->WaitForMessage(kTooFew));
  const absl::Status later = client_->Explain(call);
  EXPECT_TRUE(absl::StrContains(later.message(), kTooFew)) << later;
}

// One whose thread hears of no cancellation is not helped, and told so.
TEST_F(FewWorkersTest, WhereClosingDoesNotHelpTheOutputIsOpenedAgain) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=1", "--deaf"})));
  ASSERT_TRUE(log_->WaitForMessage("answers no health check"));
  EXPECT_EQ(CountEntries(kTooFew), 0);
  ASSERT_FALSE(client_->Ping(absl::Milliseconds(10)).ok());
  EXPECT_TRUE(client_->Kill().ok());
}

// It stands still while it is asked, and answers right after.
TEST_F(FewWorkersTest, APluginThatIsStoppedIsNotMisjudged) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=4"})));
  ASSERT_TRUE(client_->Ping().ok());
  ASSERT_EQ(kill(client_->pid(), SIGSTOP), 0);
  EXPECT_FALSE(client_->Ping(absl::Seconds(4)).ok());
  ASSERT_EQ(kill(client_->pid(), SIGCONT), 0);
  EXPECT_TRUE(client_->Ping().ok());
  EXPECT_EQ(Get(*client_, "!print:still there"), "!print:still there");
  EXPECT_TRUE(stdio_->WaitForPiped("still there\n"));
  EXPECT_EQ(CountEntries(kTooFew), 0);
}

// Slower than a moment, and faster than the rule says.
TEST_F(FewWorkersTest, APluginThatIsSlowIsNotMisjudged) {
  ASSERT_NO_FATAL_FAILURE(Launch(Plugin({"--workers=4", "--after=1.2"})));
  ASSERT_TRUE(client_->Ping().ok());
  EXPECT_EQ(Get(*client_, "!print:still there"), "!print:still there");
  EXPECT_TRUE(stdio_->WaitForPiped("still there\n"));
  EXPECT_EQ(CountEntries(kTooFew), 0);
}

class GoStreamsTest : public ConnectionPeersTest {
 protected:
  GoStreamsTest() : ConnectionPeersTest({"kv"}) {}
};

// More than its pipe holds: it needs a reader, whether or not anybody listens.
TEST_F(GoStreamsTest, PrintsTenMebibytesWithoutASink) {
  ASSERT_NO_FATAL_FAILURE(Launch(Peer("kv", {})));
  EXPECT_EQ(Get(*client_, absl::StrCat("!flood-stdout:", 10 << 20)), "");
  EXPECT_TRUE(client_->Ping().ok());
  EXPECT_EQ(CountEntries(kTooFew), 0);
}

// Go allows a ping each five minutes. Calls go on; the output comes again; the
// broker, which Go serves once, is told.
TEST_F(GoStreamsTest, KeepaliveMoreOftenThanItAllows) {
  options_.stdio_sink = stdio_;
  options_.channel_arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 200);
  options_.channel_arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  options_.channel_arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  ASSERT_NO_FATAL_FAILURE(Launch(Peer("kv", {})));
  ASSERT_TRUE(log_->WaitForMessage("output stream was cut"));
  ASSERT_TRUE(log_->WaitForMessage("broker is broken"));
  EXPECT_EQ(Put(*client_, "key", "value"), "");
  EXPECT_EQ(Get(*client_, "!stdout:printed"), "");
  EXPECT_TRUE(stdio_->WaitForPiped("printed\n"));
  ExpectError(client_->broker().Dial(1).status(),
              {Reason::kConnect, "broker is broken", "Keepalive"});
  EXPECT_EQ(CountEntries("broker is broken"), 1);
  const absl::Status bye = client_->Shutdown();
  EXPECT_TRUE(bye.ok()) << bye;
}

}  // namespace
}  // namespace goplugin::testing

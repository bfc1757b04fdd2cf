// This SDK as the host of a plugin in Rust: tonic on a runtime of one thread,
// and rustls.

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "tests/conformance/peers.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

constexpr char kMark[] = "Written from kv_rust";
constexpr char kTooFew[] = "too few calls at once";
constexpr char kCut[] = "output stream was cut and is opened again";
constexpr char kBroken[] = "broker is broken";

class RustPluginTest : public PeersTest {
 protected:
  RustPluginTest() : PeersTest({"kv_rust"}) {
    options_.tls.mode = TlsMode::kInsecure;
    options_.log_sink = log_;
    options_.stdio_sink = stdio_;
  }

  void TearDown() override {
    client_.reset();
    PeersTest::TearDown();
  }

  void Launch(std::vector<std::string> flags) {
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Launch(Peer("kv_rust", std::move(flags)), options_);
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

  void ExpectPrintsArrive(const std::string& text) {
    EXPECT_EQ(Get(*client_, "!stdout:" + text), "");
    EXPECT_TRUE(stdio_->WaitForPiped(text + "\n"));
  }

  // One that ended under a call of `key`.
  void ExpectCrash(const std::string& key, const std::string& evidence) {
    ASSERT_NO_FATAL_FAILURE(Launch({}));
    const grpc::Status call = GetStatus(*client_, key);
    EXPECT_EQ(call.error_code(), grpc::StatusCode::UNAVAILABLE);
    ExpectError(client_->Explain(call), {Reason::kCrashed, evidence, ""});
  }

  void ExpectOrderlyEnd() {
    const absl::Status bye = client_->Shutdown();
    EXPECT_TRUE(bye.ok()) << bye;
    EXPECT_TRUE(client_->exit_status()->success())
        << client_->exit_status()->ToString();
  }

  ClientOptions options_ = KvOptions();
  std::shared_ptr<RecordingLogSink> log_ = std::make_shared<RecordingLogSink>();
  std::shared_ptr<RecordingStdioSink> stdio_ =
      std::make_shared<RecordingStdioSink>();
  std::unique_ptr<Client> client_;
};

class RustTlsTest : public RustPluginTest,
                    public ::testing::WithParamInterface<TlsMode> {};

TEST_P(RustTlsTest, FullWalk) {
  options_.tls.mode = GetParam();
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  ExpectPrintsArrive("printed");
  ExpectFullWalk(*client_, kMark);
}

// tonic cuts its connections at their age, and serves on.
TEST_P(RustTlsTest, ConnectionsThatAreCut) {
  options_.tls.mode = GetParam();
  ASSERT_NO_FATAL_FAILURE(Launch({"--max-age", "3"}));
  ExpectPrintsArrive("printed");
  EXPECT_TRUE(log_->WaitForMessage(kCut));
  EXPECT_TRUE(log_->WaitForMessage(kBroken));
  EXPECT_EQ(Put(*client_, "key", "value"), "");
  ExpectPrintsArrive("printed again");
  ExpectError(client_->broker().Dial(1).status(),
              {Reason::kConnect, kBroken, "restart the plugin"});
  EXPECT_EQ(CountEntries(kBroken), 1);
  ExpectOrderlyEnd();
}

INSTANTIATE_TEST_SUITE_P(Tls, RustTlsTest,
                         ::testing::Values(TlsMode::kInsecure,
                                           TlsMode::kAutoMtls),
                         [](const ::testing::TestParamInfo<TlsMode>& info) {
                           return info.param == TlsMode::kInsecure ? "Plain"
                                                                   : "AutoMtls";
                         });

// As people write one who have read of the line alone.
TEST_F(RustPluginTest, WithoutAHealthService) {
  ASSERT_NO_FATAL_FAILURE(Launch({"--no-health"}));
  ExpectPrintsArrive("printed");
  EXPECT_EQ(Put(*client_, "key", "value"), "");
  EXPECT_EQ(CountEntries(kTooFew), 0);
  ExpectOrderlyEnd();
}

TEST_F(RustPluginTest, KilledInACall) { ExpectCrash("!signal:9", "signal 9"); }

TEST_F(RustPluginTest, ExitInACall) { ExpectCrash("!exit:3", "exit code 3"); }

// tokio catches it: the call alone ends.
TEST_F(RustPluginTest, APanicEndsOneCall) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  const grpc::Status call = GetStatus(*client_, "!panic:out of luck");
  EXPECT_FALSE(call.ok());
  EXPECT_TRUE(log_->WaitForMessage("out of luck"));
  EXPECT_TRUE(client_->Ping().ok());
  ExpectPrintsArrive("printed");
  EXPECT_EQ(CountEntries(kCut), 0);
  ExpectOrderlyEnd();
}

// A call that does not await keeps the one thread, and with it the answers to
// everything else. That is no matter of streams.
TEST_F(RustPluginTest, ACallThatBlocksTheThreadCostsNoOutput) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  ASSERT_TRUE(client_->Ping().ok());
  // The streams are there.
  ExpectPrintsArrive("printed");
  const std::unique_ptr<proto::KV::Stub> kv = client_->NewStub<proto::KV>();
  grpc::ClientContext context;
  proto::GetRequest request;
  request.set_key("!block:3500");
  proto::GetResponse response;
  grpc::CompletionQueue queue;
  const auto call = kv->AsyncGet(&context, request, &queue);
  grpc::Status status;
  call->Finish(&response, &status, &queue);
  const absl::Status ping = client_->Ping(absl::Seconds(10));
  EXPECT_TRUE(ping.ok()) << ping;
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  EXPECT_TRUE(status.ok()) << status.error_message();
  queue.Shutdown();
  ASSERT_TRUE(client_->Ping().ok());
  ExpectPrintsArrive("still there");
  EXPECT_EQ(CountEntries(kTooFew), 0);
  ExpectOrderlyEnd();
}

// It may be there before the streams.
TEST_F(RustPluginTest, AFirstCallThatBlocksTheThreadCostsNeitherStream) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  EXPECT_EQ(Get(*client_, "!block:7000"), "");
  ExpectPrintsArrive("still there");
  ExpectError(client_->broker().Dial(1, {absl::Milliseconds(100)}).status(),
              {Reason::kBrokerTimeout, "announced no", ""});
  EXPECT_EQ(CountEntries(kTooFew), 0);
  ExpectOrderlyEnd();
}

// HTTP/2's limit, which the SDK's own streams use up.
class RustStreamsTest : public RustPluginTest,
                        public ::testing::WithParamInterface<int> {};

TEST_P(RustStreamsTest, FewStreams) {
  ASSERT_NO_FATAL_FAILURE(
      Launch({"--max-streams", std::to_string(GetParam())}));
  ASSERT_TRUE(log_->WaitForMessage(kTooFew));
  EXPECT_EQ(Put(*client_, "key", "value"), "");
  EXPECT_TRUE(client_->Ping().ok());
  EXPECT_EQ(CountEntries(kTooFew), 1);
  ExpectOrderlyEnd();
}

INSTANTIATE_TEST_SUITE_P(Limit, RustStreamsTest, ::testing::Values(1, 2),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace goplugin::testing

#include "goplugin/testing/scripted_plugin.h"

#include <signal.h>
#include <stdlib.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "examples/proto/kv.grpc.pb.h"
#include "gmock/gmock.h"
#include "goplugin/client.h"
#include "goplugin/testing/internal/script_arguments.h"
#include "goplugin/testing/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr ExitStatus kExited3{ExitStatus::Kind::kExited, 3};
constexpr ExitStatus kAborted{ExitStatus::Kind::kSignalled, SIGABRT};

class ScriptedPluginTest : public HarnessTest {
 protected:
  void SetUp() override {
    HarnessTest::SetUp();
    options_ = KvOptions();
    options_.tls.mode = TlsMode::kInsecure;
    plugin_.handshake = options_.handshake;
  }

  absl::StatusOr<std::unique_ptr<Client>> Launch() const {
    return Client::Launch(plugin_.ToCommand(getenv("SCRIPTED_PLUGIN")),
                          options_);
  }

  ClientOptions options_;
  ScriptedPlugin plugin_;
};

TEST_F(ScriptedPluginTest, LeftAloneItServes) {
  absl::StatusOr<std::unique_ptr<Client>> client = Launch();
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT((*client)->Ping(), IsOk());
  EXPECT_THAT(Get(**client, "key"), HasSubstr("has no /proto.KV/Get"));
  EXPECT_THAT((*client)->Shutdown(), IsOk());
}

TEST_F(ScriptedPluginTest, ServesUnderAutoMtls) {
  options_.tls.mode = TlsMode::kAutoMtls;
  absl::StatusOr<std::unique_ptr<Client>> client = Launch();
  ASSERT_THAT(client, IsOk());
  EXPECT_TRUE((*client)->uses_tls());
}

TEST_F(ScriptedPluginTest, EndsAtTheStart) {
  plugin_.stderr_text = "no licence\n";
  plugin_.end_at_start = kExited3;
  const absl::StatusOr<std::unique_ptr<Client>> client = Launch();
  EXPECT_THAT(client,
              AllOf(StatusIs(Reason::kExitedEarly), HasStderr("no licence")));
  EXPECT_EQ(GetErrorDetails(client.status())->exit_status, kExited3);
}

TEST_F(ScriptedPluginTest, DiesOfASignalAtTheStart) {
  plugin_.end_at_start = kAborted;
  const absl::StatusOr<std::unique_ptr<Client>> client = Launch();
  EXPECT_THAT(client, StatusIs(Reason::kExitedEarly));
  EXPECT_EQ(GetErrorDetails(client.status())->exit_status, kAborted);
}

TEST_F(ScriptedPluginTest, PrintsTheLineItIsGiven) {
  plugin_.line = "2|1|unix|/tmp/x|grpc\n";
  EXPECT_THAT(Launch(), StatusIs(Reason::kCoreVersion));
}

TEST_F(ScriptedPluginTest, Hangs) {
  plugin_.line = "";
  options_.start_timeout = absl::Milliseconds(500);
  EXPECT_THAT(Launch(), StatusIs(Reason::kHandshakeTimeout));
}

TEST_F(ScriptedPluginTest, DoesWhatPluginsDoAboutAnotherCookie) {
  plugin_.handshake.magic_cookie_value = "another";
  EXPECT_THAT(Launch(), StatusIs(Reason::kExitedEarly));
}

TEST_F(ScriptedPluginTest, EndsInACall) {
  plugin_.stderr_text = "out of disk\n";
  plugin_.end_in_call = kExited3;
  absl::StatusOr<std::unique_ptr<Client>> client = Launch();
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT(Get(**client, "key"), HasSubstr("error"));
  EXPECT_THAT(
      (*client)->Explain(grpc::Status(grpc::StatusCode::UNAVAILABLE, "")),
      AllOf(StatusIs(Reason::kCrashed), HasStderr("out of disk")));
  EXPECT_EQ((*client)->exit_status(), kExited3);
}

TEST_F(ScriptedPluginTest, HangsInACall) {
  plugin_.hang_in_call = true;
  absl::StatusOr<std::unique_ptr<Client>> client = Launch();
  ASSERT_THAT(client, IsOk());
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(1)));
  proto::GetResponse response;
  const grpc::Status status =
      (*client)->NewStub<proto::KV>()->Get(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT((*client)->Ping(), IsOk());
}

TEST_F(ScriptedPluginTest, IgnoresShutdown) {
  plugin_.ignore_shutdown = true;
  options_.shutdown.exit_timeout = absl::Milliseconds(300);
  options_.shutdown.terminate_timeout = absl::Milliseconds(100);
  absl::StatusOr<std::unique_ptr<Client>> client = Launch();
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT((*client)->Shutdown(),
              AllOf(StatusIs(Reason::kShutdownForced), HasEvidence("SIGKILL")));
}

TEST_F(ScriptedPluginTest, FloodsTheLog) {
  auto log = std::make_shared<RecordingLogSink>();
  options_.log_sink = log;
  plugin_.log_lines = 1000;
  const absl::StatusOr<std::unique_ptr<Client>> client = Launch();
  ASSERT_THAT(client, IsOk());
  EXPECT_TRUE(log->WaitForMessage("line 1000"));
}

TEST(ScriptArgumentsTest, EveryMemberArrives) {
  ScriptedPlugin script;
  script.handshake.magic_cookie_key = "KEY";
  script.handshake.magic_cookie_value = "a=b";
  script.handshake.protocol_versions = {0, 7};
  script.stderr_text = std::string("nul \0 and\n", 10) + "\xff";
  script.log_lines = 12;
  script.start_delay = absl::Milliseconds(1500);
  script.end_at_start = kExited3;
  script.line = "";
  script.end_in_call = kAborted;
  script.hang_in_call = true;
  script.ignore_shutdown = true;

  const std::vector<std::string> arguments = WriteScript(script);
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) {
    EXPECT_EQ(argument.find('\0'), std::string::npos) << argument;
    pointers.push_back(argument.c_str());
  }
  const absl::optional<ScriptedPlugin> read = ReadScript(pointers);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->handshake.magic_cookie_key, "KEY");
  EXPECT_EQ(read->handshake.magic_cookie_value, "a=b");
  EXPECT_EQ(read->handshake.protocol_versions,
            script.handshake.protocol_versions);
  EXPECT_EQ(read->stderr_text, script.stderr_text);
  EXPECT_EQ(read->log_lines, 12);
  EXPECT_EQ(read->start_delay, absl::Milliseconds(1500));
  EXPECT_EQ(read->end_at_start, kExited3);
  EXPECT_EQ(read->line, "");
  EXPECT_EQ(read->end_in_call, kAborted);
  EXPECT_TRUE(read->hang_in_call);
  EXPECT_TRUE(read->ignore_shutdown);
}

TEST(ScriptArgumentsTest, OtherArgumentsAreRefused) {
  for (const char* argument :
       {"", "unknown=1", "line", "log_lines=x", "end_at_start=jump:3",
        "end_at_start=exit:", "hang_in_call=perhaps", "start_delay=soon"}) {
    EXPECT_FALSE(ReadScript({argument}).has_value()) << argument;
  }
}

}  // namespace
}  // namespace goplugin::testing

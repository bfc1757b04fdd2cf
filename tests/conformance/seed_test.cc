// What the reference's rows (seed.md) promise of the whole, and no other test
// looks at.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "goplugin/log_sink.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

namespace fs = std::filesystem;

using Launched = absl::StatusOr<std::unique_ptr<Client>>;

class SeedTest : public HarnessTest {
 protected:
  SeedTest() { options_.log_sink = log_; }

  Launched Launch(std::vector<std::string> flags) {
    return Client::Launch(ServerPlugin(std::move(flags)), options_);
  }

  // The plugin's own lines that begin with `start`, in order.
  std::vector<std::string> Lines(const std::string& start) const {
    std::vector<std::string> lines;
    for (const LogEntry& entry : log_->entries()) {
      if (absl::StartsWith(entry.message, start)) {
        lines.push_back(entry.message);
      }
    }
    return lines;
  }

  ClientOptions options_ = KvOptions();
  std::shared_ptr<RecordingLogSink> log_ = std::make_shared<RecordingLogSink>();
};

std::string FirstLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The directories in /proc of the SDK's threads, by name.
std::vector<std::pair<std::string, fs::path>> SdkThreads() {
  std::vector<std::pair<std::string, fs::path>> threads;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    const std::string name = FirstLine(task.path() / "comm");
    if (absl::StartsWith(name, "goplugin-")) {
      threads.emplace_back(name, task.path());
    }
  }
  std::sort(threads.begin(), threads.end());
  return threads;
}

std::vector<std::string> SdkThreadNames() {
  std::vector<std::string> names;
  for (const auto& thread : SdkThreads()) names.push_back(thread.first);
  return names;
}

// How often the loop's thread went to sleep so far.
int64_t LoopWakeUps() {
  for (const auto& [name, path] : SdkThreads()) {
    if (name != "goplugin-loop") continue;
    std::ifstream status(path / "status");
    std::string word;
    int64_t count = -1;
    while (status >> word) {
      if (word == "voluntary_ctxt_switches:") status >> count;
    }
    return count;
  }
  return -1;
}

TEST_F(SeedTest, StderrIsRelayedFromTheStartToTheEnd) {
  Launched client = Launch({"--stderr=[WARN] relay before the line"});
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(Get(**client, "!raw-stderr:relay while it serves"), "");
  EXPECT_EQ(Get(**client, "!raw-stderr:relay again"), "");
  absl::Notification done;
  (*client)->ShutdownAsync([&](absl::Status) { done.Notify(); });
  done.WaitForNotification();  // comes after every entry
  EXPECT_EQ(Lines("relay"),
            (std::vector<std::string>{"relay before the line",
                                      "relay while it serves", "relay again"}));
}

// Those that read and write for today's gRPC are as many as the processors, at
// most.
std::vector<std::string> ThreadsForAllPlugins() {
  std::vector<std::string> names = SdkThreadNames();
  names.erase(std::remove(names.begin(), names.end(), "goplugin-io"),
              names.end());
  return names;
}

TEST_F(SeedTest, MorePluginsNeedNoMoreThreads) {
  Launched first = Launch({});
  ASSERT_TRUE(first.ok()) << first.status();
  const std::vector<std::string> with_one = ThreadsForAllPlugins();
  EXPECT_FALSE(with_one.empty());
  std::vector<std::unique_ptr<Client>> more;
  for (int i = 0; i < 4; ++i) {
    Launched client = Launch({});
    ASSERT_TRUE(client.ok()) << client.status();
    more.push_back(*std::move(client));
  }
  EXPECT_EQ(ThreadsForAllPlugins(), with_one);
}

TEST_F(SeedTest, APluginWithoutStderrIsLegal) {
  Launched client = Launch({"--close-stderr"});
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(Put(**client, "key", "value"), "");
  const absl::Status bye = (*client)->Shutdown();
  EXPECT_TRUE(bye.ok()) << bye;
  for (const LogEntry& entry : log_->entries()) {
    EXPECT_EQ(entry.source, LogEntry::Source::kSdk) << entry.message;
  }
}

// A poll of the closed pipe would show itself within the call, by thousands.
TEST_F(SeedTest, AClosedStderrWakesNobody) {
  Launched client = Launch({"--close-stderr"});
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(Put(**client, "key", "value"), "");
  const int64_t before = LoopWakeUps();
  ASSERT_GE(before, 0);
  EXPECT_EQ(Get(**client, "!sleep:1000"), "");
  // The loop may have been awake still when it was asked first.
  EXPECT_LE(LoopWakeUps(), before + 5);
}

TEST_F(SeedTest, TheLastWordsComeBeforeTheReportOfTheExit) {
  Launched client = Launch({"--die-in-call=abort"});
  ASSERT_TRUE(client.ok()) << client.status();
  std::vector<LogEntry> at_exit;
  ExitStatus status;
  absl::Notification exited;
  (*client)->OnExit([&](ExitStatus exit_status, absl::Status) {
    at_exit = log_->entries();
    status = exit_status;
    exited.Notify();
  });
  Put(**client, "key", "value");
  ASSERT_TRUE(exited.WaitForNotificationWithTimeout(kPatience));
  EXPECT_EQ(status.kind, ExitStatus::Kind::kSignalled);
  ASSERT_FALSE(at_exit.empty());
  EXPECT_EQ(at_exit.back().message,
            "terminate called after throwing 'the cause'");
}

TEST_F(SeedTest, EveryLineOfAPluginThatDiesAtOnceArrives) {
  const absl::Status status =
      Client::Launch(Misbehave({"exit-traceback"}), options_).status();
  ExpectError(status,
              {Reason::kExitedEarly, "ValueError: the cause is here", ""});
  ASSERT_TRUE(log_->WaitForMessage("ValueError: the cause is here"));
  const std::vector<LogEntry> entries = log_->entries();
  ASSERT_EQ(entries.size(), 402u) << entries.front().message << "\n"
                                  << entries.back().message;
  for (size_t i = 0; i < 400; ++i) {
    EXPECT_TRUE(absl::StrContains(entries[i + 1].message,
                                  absl::StrCat("line ", i, ",")))
        << entries[i + 1].message;
  }
}

TEST_F(SeedTest, ALongLineComesInPieces) {
  options_.stderr_sink = std::make_shared<RecordingStdioSink>();
  Launched client = Launch({"--long-stderr-line=1MB"});
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ((*client)->Shutdown(), absl::OkStatus());
  size_t pieces = 0;
  for (const LogEntry& entry : log_->entries()) {
    if (entry.source == LogEntry::Source::kSdk) continue;
    EXPECT_LE(entry.message.size(), 64u * 1024);
    ++pieces;
  }
  EXPECT_GE(pieces, 15u);
}

TEST_F(SeedTest, NoVersionIsOutOfBounds) {
  options_.handshake.protocol_versions = {2147483647u, 0, 9};
  Launched nine = Launch({"--versions=8,9"});
  ASSERT_TRUE(nine.ok()) << nine.status();
  EXPECT_EQ((*nine)->protocol_version(), 9u);
  Launched highest = Launch({"--versions=2147483647"});
  ASSERT_TRUE(highest.ok()) << highest.status();
  EXPECT_EQ((*highest)->protocol_version(), 2147483647u);
}

TEST_F(SeedTest, AHostWithoutVersionsIsAnOptionsError) {
  options_.handshake.protocol_versions = {};
  ExpectError(Launch({}).status(),
              {Reason::kOptions, "handshake.protocol_versions", "{1}"});
}

TEST_F(SeedTest, AHostWithoutNetworksIsAnOptionsError) {
  options_.networks = {};
  ExpectError(Launch({}).status(),
              {Reason::kOptions, "networks", "at least one of unix and tcp"});
}

TEST_F(SeedTest, ANetworkThatTheHostDoesNotAllowIsRefused) {
  options_.networks = {Endpoint::Network::kTcp};
  ExpectError(Launch({}).status(), {Reason::kTransport, "unix", "networks"});
  options_.networks = {Endpoint::Network::kUnix};
  ExpectError(Launch({"--network=tcp"}).status(),
              {Reason::kTransport, "tcp", "networks"});
}

// An error that passed through every layer still has all its parts, and none
// is wrapped in another.
TEST_F(SeedTest, ErrorsKeepReasonHintAndEvidence) {
  const absl::Status status =
      Client::Launch(Misbehave({"exit-both"}), options_).status();
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, Reason::kExitedEarly);
  EXPECT_EQ(status.code(), ReasonCode(Reason::kExitedEarly));
  EXPECT_FALSE(details->what.empty());
  EXPECT_FALSE(details->evidence.empty());
  EXPECT_FALSE(details->hint.empty());
  EXPECT_EQ(details->exit_status, (ExitStatus{ExitStatus::Kind::kExited, 3}));
  EXPECT_FALSE(details->stderr_tail.empty());
  const std::string text(status.message());
  EXPECT_TRUE(absl::StartsWith(text, details->what)) << text;
  EXPECT_TRUE(absl::StrContains(text, details->hint)) << text;
  EXPECT_EQ(text.find(details->hint), text.rfind(details->hint)) << text;
}

TEST_F(SeedTest, TheDefaultDeadlineIsAMinute) {
  EXPECT_EQ(ClientOptions().start_timeout, absl::Seconds(60));
}

TEST_F(SeedTest, ASlowPluginHasUntilTheDeadline) {
  options_.slow_start_notice = absl::Milliseconds(500);
  Launched client = Launch({"--delay=3s", "--slow-line=2ms"});
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_GE((*client)->timings().line, absl::Seconds(3));
  EXPECT_EQ(Put(**client, "key", "value"), "");
  EXPECT_TRUE(log_->WaitFor([](const LogEntry& entry) {
    return entry.source == LogEntry::Source::kSdk;
  })) << "the notice is missing";
}

TEST_F(SeedTest, NoiseBeforeTheLineCostsNoTime) {
  for (const char* noise : {"text", "binary", "five-pipes", "candidate"}) {
    Launched client = Launch({absl::StrCat("--noise=", noise)});
    EXPECT_TRUE(client.ok()) << noise << ": " << client.status();
  }
}

// Stderr that never ends must not hold the error back.
TEST_F(SeedTest, TheErrorComesAtTheDeadlineWhateverStderrDoes) {
  options_.log_sink = nullptr;
  options_.start_timeout = absl::Milliseconds(500);
  const absl::Status status =
      Client::Launch(Misbehave({"stderr-forever"}), options_).status();
  ExpectError(status,
              {Reason::kHandshakeTimeout, "no handshake line in time", ""});
  EXPECT_FALSE(GetErrorDetails(status)->stderr_tail.empty());
}

TEST_F(SeedTest, NothingIsWrittenToTheHostsOutput) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  ClientOptions silent = KvOptions();
  Launched client = Client::Launch(
      ServerPlugin({"--stderr=[ERROR] loud", "--noise=text"}), silent);
  const bool launched = client.ok();
  if (launched) {
    Put(**client, "key", "value");
    (void)(*client)->Explain(
        grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "not said"));
    Get(**client, "!raw-stdout:loud");
    Get(**client, "!exit:4");
    (*client)->WaitForExit(absl::Seconds(20)).status().IgnoreError();
    (*client)->Shutdown().IgnoreError();
  }
  Client::Launch(Misbehave({"exit-both"}), silent).status().IgnoreError();
  const std::string err = ::testing::internal::GetCapturedStderr();
  const std::string out = ::testing::internal::GetCapturedStdout();
  EXPECT_TRUE(launched);
  EXPECT_EQ(out, "");
  EXPECT_EQ(err, "");
}

}  // namespace
}  // namespace goplugin::testing

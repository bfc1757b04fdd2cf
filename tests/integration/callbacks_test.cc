// Callbacks: their order, and those that don't return.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

using Launched = absl::StatusOr<std::unique_ptr<Client>>;

// A sink that does not return until it is released, as a terminal under Ctrl-S.
class StuckLogSink : public LogSink {
 public:
  void Log(const LogEntry& entry) override {
    if (!stuck_.HasBeenNotified()) stuck_.Notify();
    released_.WaitForNotification();
    recorder_.Log(entry);
  }

  bool WaitUntilStuck() {
    return stuck_.WaitForNotificationWithTimeout(kPatience);
  }
  void Release() { released_.Notify(); }
  const RecordingLogSink& recorder() const { return recorder_; }

 private:
  absl::Notification stuck_;
  absl::Notification released_;
  RecordingLogSink recorder_;
};

class CallbacksTest : public HarnessTest {
 protected:
  CallbacksTest() { options_.log_sink = sink_; }

  std::shared_ptr<StuckLogSink> sink_ = std::make_shared<StuckLogSink>();
  ClientOptions options_ = PlainOptions();
};

TEST_F(CallbacksTest, AStuckSinkDelaysNoOtherClient) {
  std::unique_ptr<Client> stuck =
      MustLaunch(ServerPlugin({"--stderr=hello"}), options_);
  ASSERT_NE(stuck, nullptr);
  ASSERT_TRUE(sink_->WaitUntilStuck());

  // All that needs callbacks, by another client.
  Mailbox<Launched> launched;
  Client::LaunchAsync(ServerPlugin({}), PlainOptions(), [&](Launched client) {
    launched.Put(std::move(client));
  });
  absl::optional<Launched> other = launched.Take();
  ASSERT_TRUE(other.has_value());
  ASSERT_TRUE(other->ok()) << other->status();
  EXPECT_TRUE(Answers(***other));
  Mailbox<absl::Status> bye;
  (**other)->ShutdownAsync(
      [&](absl::Status status) { bye.Put(std::move(status)); });
  const absl::optional<absl::Status> other_bye = bye.Take();
  ASSERT_TRUE(other_bye.has_value());
  EXPECT_TRUE(other_bye->ok()) << *other_bye;

  // Nor what its own client does without callbacks.
  EXPECT_TRUE(Answers(*stuck));
  EXPECT_TRUE(stuck->Ping().ok());
  EXPECT_EQ(stuck->Shutdown(), absl::OkStatus());
  sink_->Release();
  EXPECT_TRUE(sink_->recorder().WaitForMessage("hello"));
}

TEST_F(CallbacksTest, TheDestructorDoesNotWaitForAStuckSink) {
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--stderr=hello"}), options_);
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(sink_->WaitUntilStuck());
  client.reset();
  sink_->Release();
  EXPECT_TRUE(sink_->recorder().WaitForMessage("hello"));
}

TEST_F(CallbacksTest, WhatAStuckSinkMissesIsCounted) {
  std::unique_ptr<Client> client = MustLaunch(
      ServerPlugin({"--stderr=hello", "--long-stderr-line=20MB"}), options_);
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(sink_->WaitUntilStuck());
  Get(*client, "!raw-stderr:the newest");
  Mailbox<bool> exited;
  client->OnExit([&](ExitStatus, const absl::Status&) { exited.Put(true); });
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_FALSE(exited.Has());
  sink_->Release();

  EXPECT_TRUE(sink_->recorder().WaitForMessage("the newest"));
  EXPECT_TRUE(exited.Take().has_value());
  int dropped = 0;
  for (const LogEntry& entry : sink_->recorder().entries()) {
    if (entry.source != LogEntry::Source::kSdk) continue;
    EXPECT_EQ(entry.level, LogLevel::kWarn);
    EXPECT_TRUE(absl::StrContains(entry.message, "were dropped"));
    int count = 0;
    ASSERT_TRUE(absl::SimpleAtoi(
        entry.message.substr(0, entry.message.find(' ')), &count));
    dropped += count;
  }
  // 20 MB are 320 pieces; 8 MB of them are kept.
  EXPECT_GT(dropped, 150);
  const int kept = static_cast<int>(sink_->recorder().entries().size());
  EXPECT_LT(kept, 200);
  EXPECT_GE(kept + dropped, 320);
}

// Logs and output share a lane; what may be dropped of the one is no reason to
// lose of the other.
TEST_F(CallbacksTest, AFloodOfLogLinesCostsNoOutput) {
  constexpr int kBytes = 1 << 20;
  auto stdio = std::make_shared<RecordingStdioSink>();
  options_.stdio_sink = stdio;
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--stderr=hello"}), options_);
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(sink_->WaitUntilStuck());
  Get(*client, absl::StrCat("!stdio:", kBytes));
  const std::string line(std::size_t{60} << 10, 'x');
  for (int i = 0; i < 300; ++i)
    Get(*client, absl::StrCat("!raw-stderr:", line));
  sink_->Release();
  EXPECT_TRUE(stdio->WaitForPiped(">"));
  EXPECT_EQ(stdio->piped().size(), static_cast<std::size_t>(kBytes));
  EXPECT_TRUE(sink_->recorder().WaitForMessage("were dropped"));
}

// Keeps the order of everything a client reports.
class Diary : public LogSink {
 public:
  void Log(const LogEntry& entry) override { Add(entry.message); }
  void Add(std::string what) {
    internal::MutexLock lock(mutex_);
    lines_.push_back(std::move(what));
  }
  std::vector<std::string> lines() const {
    internal::MutexLock lock(mutex_);
    return lines_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(CallbacksTest, ExitAndShutdownComeAfterTheLastEntry) {
  auto diary = std::make_shared<Diary>();
  options_.log_sink = diary;
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--flood-stderr=500"}), options_);
  ASSERT_NE(client, nullptr);
  Mailbox<bool> done;
  client->OnExit([&](ExitStatus, const absl::Status&) { diary->Add("exit"); });
  client->ShutdownAsync([&](const absl::Status&) {
    diary->Add("shut down");
    done.Put(true);
  });
  ASSERT_TRUE(done.Take().has_value());
  const std::vector<std::string> lines = diary->lines();
  ASSERT_GE(lines.size(), 2u);
  EXPECT_EQ(lines[lines.size() - 2], "exit");
  EXPECT_EQ(lines[lines.size() - 1], "shut down");
  for (std::size_t i = 0; i + 2 < lines.size(); ++i) {
    EXPECT_TRUE(absl::StartsWith(lines[i], absl::StrCat("flood ", i, " ")));
  }
}

TEST_F(CallbacksTest, TheCrashIsToldAfterTheLastEntry) {
  auto diary = std::make_shared<Diary>();
  options_.log_sink = diary;
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  Mailbox<bool> done;
  client->OnExit([&](ExitStatus, const absl::Status&) {
    diary->Add("exit");
    done.Put(true);
  });
  Get(*client, "!panic:last words");
  ASSERT_TRUE(done.Take().has_value());
  const std::vector<std::string> lines = diary->lines();
  EXPECT_EQ(lines.back(), "exit");
  EXPECT_TRUE(absl::StrContains(lines.front(), "last words"));
}

// Every blocking method, called where it would wait for itself.
TEST_F(CallbacksTest, BlockingMethodsInACallback) {
  options_.log_sink = nullptr;
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  std::unique_ptr<Client> other = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(other, nullptr);
  Mailbox<std::vector<absl::Status>> answers;
  client->OnExit([&](ExitStatus, const absl::Status&) {
    const grpc::Status call(grpc::StatusCode::UNAVAILABLE, "");
    std::vector<Client*> both = {client.get(), other.get()};
    answers.Put({other->Shutdown(), other->Kill(), other->Ping(),
                 other->WaitForExit(absl::Seconds(1)).status(),
                 other->Explain(call),
                 Client::ShutdownAll(both, absl::Seconds(1)),
                 Client::Launch(ServerPlugin({}), PlainOptions()).status()});
  });
  EXPECT_TRUE(client->Kill().ok());
  const absl::optional<std::vector<absl::Status>> got = answers.Take();
  ASSERT_TRUE(got.has_value());
  for (const absl::Status& status : *got) {
    ExpectError(status,
                {Reason::kWrongThread, "from a callback", "Async variant"});
  }
  EXPECT_TRUE(Answers(*other));
}

TEST_F(CallbacksTest, DestructorInACallback) {
  options_.log_sink = nullptr;
  std::unique_ptr<Client> dying = MustLaunch(ServerPlugin({}), options_);
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(dying, nullptr);
  ASSERT_NE(client, nullptr);
  Mailbox<bool> destroyed;
  dying->OnExit([&](ExitStatus, const absl::Status&) {
    client.reset();
    destroyed.Put(true);
  });
  EXPECT_TRUE(dying->Kill().ok());
  EXPECT_TRUE(destroyed.Take().has_value());
}

// The last client of all: the SDK's threads are left to somebody else.
TEST_F(CallbacksTest, DestructorOfItselfInACallback) {
  options_.log_sink = nullptr;
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  Mailbox<bool> destroyed;
  Client* raw = client.get();
  raw->OnExit([&](ExitStatus, const absl::Status&) {
    client.reset();
    destroyed.Put(true);
  });
  Get(*raw, "!exit:3");
  EXPECT_TRUE(destroyed.Take().has_value());
}

}  // namespace
}  // namespace goplugin::testing

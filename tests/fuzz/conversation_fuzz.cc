// A whole conversation with a hostile plugin, against a Client: its line, what
// it prints, its streams and its answers, in any order, cut anywhere.
//
// The first byte chooses options; then, again and again, a byte says what
// happens, the next one how many bytes go with it, and those follow.

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/log_sink.h"
#include "goplugin/runner.h"
#include "tests/fuzz/conversation_peer.h"

namespace goplugin::testing {
namespace {

using Launched = absl::StatusOr<std::unique_ptr<Client>>;
using Stream = ConversationPeer::Stream;
using Answer = ConversationPeer::Answer;

// All deadlines of a conversation together are far below this.
constexpr absl::Duration kHangs = absl::Seconds(5);
constexpr absl::Duration kMoment = absl::Milliseconds(20);

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckError(const absl::Status& status) {
  if (status.ok()) return;
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  Require(details.has_value() && details->reason != Reason::kUnknown);
  Require(!details->what.empty() && !details->hint.empty());
  Require(status.message().size() < size_t{128} << 10);
}

// The plugin's process: two pipes, and something that tells of the end.
class PipesRunner final : public Runner {
 public:
  ~PipesRunner() override { End(); }

  std::string Name() const override { return "pipes"; }

  absl::StatusOr<RunnerProcess> Start(const RunnerRequest&) override {
    internal::MutexLock lock(mutex_);
    int out[2];
    int err[2];
    Require(pipe2(out, O_CLOEXEC | O_NONBLOCK) == 0);
    Require(pipe2(err, O_CLOEXEC | O_NONBLOCK) == 0);
    write_[0] = out[1];
    write_[1] = err[1];
    exit_ = eventfd(0, EFD_CLOEXEC);
    started_.Notify();
    return RunnerProcess{out[0], err[0], dup(exit_)};
  }
  absl::StatusOr<ExitStatus> Wait() override {
    return ExitStatus{ExitStatus::Kind::kExited, 3};
  }
  absl::Status Kill() override {
    Exit();
    return absl::OkStatus();
  }

  bool AwaitStart() {
    return started_.WaitForNotificationWithTimeout(absl::Seconds(1));
  }
  // What does not fit is lost: a plugin would wait.
  void Print(int which, absl::string_view bytes) {
    internal::MutexLock lock(mutex_);
    if (write_[which] < 0) return;
    if (write(write_[which], bytes.data(), bytes.size()) < 0) return;
  }
  void Close(int which) {
    internal::MutexLock lock(mutex_);
    if (write_[which] >= 0) close(std::exchange(write_[which], -1));
  }
  void Exit() {
    internal::MutexLock lock(mutex_);
    if (exit_ >= 0) eventfd_write(exit_, 1);
  }

 private:
  void End() {
    Close(0);
    Close(1);
    internal::MutexLock lock(mutex_);
    if (exit_ >= 0) close(std::exchange(exit_, -1));
  }

  absl::Notification started_;
  absl::Mutex mutex_;
  int write_[2] ABSL_GUARDED_BY(mutex_) = {-1, -1};
  int exit_ ABSL_GUARDED_BY(mutex_) = -1;
};

class NullSinks final : public LogSink, public StdioSink {
 public:
  void Log(const LogEntry& entry) override {
    Require(entry.message.size() <= size_t{256} << 10);
  }
  void Write(const StdioChunk& chunk) override { Require(!chunk.data.empty()); }
};

ClientOptions Options(std::uint8_t choice) {
  ClientOptions options;
  options.handshake.magic_cookie_key = "FUZZ";
  options.handshake.magic_cookie_value = "fuzz";
  options.handshake.protocol_versions = {1};
  options.start_timeout = absl::Milliseconds(100);
  options.shutdown.rpc_timeout = kMoment;
  options.shutdown.exit_timeout = absl::ZeroDuration();
  options.shutdown.terminate_timeout = kMoment;
  options.shutdown.kill_timeout = absl::Milliseconds(500);
  options.tls.mode =
      (choice & 1) != 0 ? TlsMode::kAutoMtlsIfOffered : TlsMode::kInsecure;
  if ((choice & 2) != 0) options.multiplex = Multiplex::kIfOffered;
  const auto sinks = std::make_shared<NullSinks>();
  options.log_sink = sinks;
  options.stderr_sink = sinks;
  options.stdio_sink = sinks;
  return options;
}

class Conversation {
 public:
  explicit Conversation(std::uint8_t choice) {
    ConversationPeer::Get().Reset();
    operation_ = Client::LaunchAsync(runner_, Options(choice),
                                     [this](Launched launched) {
                                       launched_ = std::move(launched);
                                       told_.Notify();
                                     });
    begun_ = runner_->AwaitStart();
  }
  ~Conversation() {
    AwaitLaunch();
    client_.reset();
    Require(absl::Now() - start_ < kHangs);
  }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  void Step(std::uint8_t what, absl::string_view bytes) {
    if (!begun_) return;
    if (what % 2 == 0) {
      ThePluginDoes(what / 2 % 12, bytes);
    } else {
      TheHostDoes(what / 2 % 6, bytes);
    }
  }

 private:
  static int Number(absl::string_view bytes) {
    return bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0]);
  }

  static Answer AnswerOf(absl::string_view bytes) {
    if (bytes.empty()) return {Answer::Kind::kSilence, "", 0};
    if (bytes.size() == 1) return {Answer::Kind::kError, "", Number(bytes)};
    return {Answer::Kind::kMessage, std::string(bytes), 0};
  }

  // The same message, as often as its first byte says.
  static void SendMany(Stream stream, absl::string_view bytes) {
    for (int i = Number(bytes); i >= 0; --i) {
      ConversationPeer::Get().Send(
          stream, bytes.substr(std::min<size_t>(1, bytes.size())));
    }
  }

  void ThePluginDoes(int what, absl::string_view bytes) {
    ConversationPeer& peer = ConversationPeer::Get();
    switch (what) {
      case 0:
        return runner_->Print(0, bytes);
      case 1:
        return runner_->Print(1, bytes);
      case 2:
        return runner_->Print(0, absl::StrCat("1|1|tcp|127.0.0.1:", peer.port(),
                                              "|grpc", bytes, "\n"));
      case 3:
        return runner_->Close(Number(bytes) % 2);
      case 4:
        return runner_->Exit();
      case 5:
        return peer.Send(Stream::kStdio, bytes);
      case 6:
        return peer.Send(Stream::kBroker, bytes);
      case 7:
        return peer.End(Stream::kStdio, Number(bytes));
      case 8:
        return peer.End(Stream::kBroker, Number(bytes));
      case 9:
        return peer.AddHealth(AnswerOf(bytes));
      case 10:
        return peer.SetShutdown(AnswerOf(bytes));
      default:
        return SendMany(
            bytes.size() % 2 == 0 ? Stream::kStdio : Stream::kBroker, bytes);
    }
  }

  void TheHostDoes(int what, absl::string_view bytes) {
    if (what == 0) return absl::SleepFor(absl::Milliseconds(1));
    if (what == 1) return operation_.Cancel();
    AwaitLaunch();
    if (client_ == nullptr) return;
    if (what == 2) CheckError(client_->Ping(kMoment));
    if (what == 3) {
      DialOptions options;
      options.timeout = kMoment;
      CheckError(client_->broker()
                     .Dial(static_cast<std::uint32_t>(Number(bytes)), options)
                     .status());
    }
    if (what == 4) CheckError(client_->Shutdown());
    if (what == 5) CheckError(client_->broker().Listen().status());
  }

  void AwaitLaunch() {
    Require(told_.WaitForNotificationWithTimeout(kHangs));
    if (!launched_.has_value()) return;
    CheckError(launched_->status());
    if (launched_->ok()) client_ = **std::move(launched_);
    launched_.reset();
  }

  const absl::Time start_ = absl::Now();
  const std::shared_ptr<PipesRunner> runner_ = std::make_shared<PipesRunner>();
  absl::Notification told_;
  absl::optional<Launched> launched_;
  LaunchOperation operation_;
  bool begun_ = false;
  std::unique_ptr<Client> client_;
};

}  // namespace
}  // namespace goplugin::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // The plugin's pipes are written to from here.
  signal(SIGPIPE, SIG_IGN);
  absl::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto byte = [&rest] {
    if (rest.empty()) return std::uint8_t{0};
    const auto value = static_cast<std::uint8_t>(rest[0]);
    rest.remove_prefix(1);
    return value;
  };
  goplugin::testing::Conversation conversation(byte());
  while (!rest.empty()) {
    const std::uint8_t what = byte();
    const std::uint8_t length = byte();
    const absl::string_view bytes = rest.substr(0, length);
    rest.remove_prefix(bytes.size());
    conversation.Step(what, bytes);
  }
  return 0;
}

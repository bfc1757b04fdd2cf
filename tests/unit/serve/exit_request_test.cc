#include "goplugin/internal/serve/exit_request.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "goplugin/error.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;

void (*HandlerOf(int signal))(int) {
  struct sigaction action = {};
  EXPECT_EQ(sigaction(signal, nullptr, &action), 0);
  return action.sa_handler;
}

TEST(ExitRequest, ReturnsWhenAnotherThreadMakesIt) {
  auto request = ExitRequest::Create(ExitRequest::Interrupt::kIgnored);
  ASSERT_TRUE(request.ok()) << request.status();
  std::thread maker([&] { (*request)->Make(); });
  (*request)->Wait();
  maker.join();
  // It stays made, and many are as good as one.
  for (int i = 0; i < 100'000; ++i) (*request)->Make();
  (*request)->Wait();
}

TEST(ExitRequest, SigtermMakesIt) {
  auto request = ExitRequest::Create(ExitRequest::Interrupt::kIgnored);
  ASSERT_TRUE(request.ok()) << request.status();
  raise(SIGTERM);
  (*request)->Wait();
}

TEST(ExitRequest, HearsSigtermThoughItWasBlocked) {
  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &terminate, nullptr), 0);
  {
    auto request = ExitRequest::Create(ExitRequest::Interrupt::kIgnored);
    ASSERT_TRUE(request.ok()) << request.status();
    raise(SIGTERM);
    (*request)->Wait();
  }
  sigset_t mask;
  ASSERT_EQ(pthread_sigmask(SIG_UNBLOCK, &terminate, &mask), 0);
  EXPECT_EQ(sigismember(&mask, SIGTERM), 1);
}

TEST(ExitRequest, IgnoresSigintAndPutsBothBack) {
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  {
    auto request = ExitRequest::Create(ExitRequest::Interrupt::kIgnored);
    ASSERT_TRUE(request.ok()) << request.status();
    EXPECT_EQ(HandlerOf(SIGINT), SIG_IGN);
    EXPECT_NE(HandlerOf(SIGTERM), SIG_DFL);
  }
  EXPECT_EQ(HandlerOf(SIGINT), SIG_DFL);
  EXPECT_EQ(HandlerOf(SIGTERM), SIG_DFL);
}

TEST(ExitRequest, SigintMakesItWhereItIsToEnd) {
  signal(SIGINT, SIG_DFL);
  {
    auto request = ExitRequest::Create(ExitRequest::Interrupt::kEnds);
    ASSERT_TRUE(request.ok()) << request.status();
    raise(SIGINT);
    (*request)->Wait();
  }
  EXPECT_EQ(HandlerOf(SIGINT), SIG_DFL);
}

// By the time the handler writes, its pipe may have no reader any more, or its
// number be another file's.
TEST(ExitRequest, ASignalUnderWayAtItsEndWritesIntoNothingElse) {
  const auto before = signal(SIGTERM, SIG_IGN);
  std::atomic<bool> over{false};
  std::vector<std::thread> senders(2);
  for (std::thread& sender : senders) {
    sender = std::thread([&over] {
      while (!over) raise(SIGTERM);
    });
  }
  int strays = 0;
  for (int i = 0; i < 300; ++i) {
    EXPECT_TRUE(ExitRequest::Create(ExitRequest::Interrupt::kIgnored).ok());
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    std::this_thread::yield();
    char byte = 0;
    if (read(ends[0], &byte, 1) == 1) ++strays;
    close(ends[0]);
    close(ends[1]);
  }
  over = true;
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(strays, 0);
  signal(SIGTERM, before);
}

TEST(ExitRequest, IsOneAtATime) {
  auto first = ExitRequest::Create(ExitRequest::Interrupt::kIgnored);
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = ExitRequest::Create(ExitRequest::Interrupt::kIgnored);
  absl::optional<ErrorDetails> details = GetErrorDetails(second.status());
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, Reason::kOptions);
  EXPECT_THAT(details->hint, HasSubstr("once"));
  // The refused one has not taken the signal from the first.
  raise(SIGTERM);
  (*first)->Wait();
  first->reset();
  EXPECT_TRUE(ExitRequest::Create(ExitRequest::Interrupt::kIgnored).ok());
}

}  // namespace
}  // namespace goplugin::internal

#include "goplugin/internal/serve/exit_request.h"

#include <signal.h>

#include <memory>
#include <thread>

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

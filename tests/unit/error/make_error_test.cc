#include "goplugin/internal/error/make_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/exit_status.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;

ErrorDetails Full() {
  ErrorDetails details;
  details.reason = Reason::kCrashed;
  details.what = "the plugin ended unasked";
  details.evidence = {"pid 7", "line \"1|1\""};
  details.hint = "look at its log";
  details.exit_status = ExitStatus{ExitStatus::Kind::kSignalled, 11, true};
  details.panic = "panic: x";
  details.stderr_tail = "last words";
  return details;
}

TEST(MakeErrorTest, DetailsComeBackWhole) {
  const absl::optional<ErrorDetails> details =
      GetErrorDetails(MakeError(Full()));
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, Reason::kCrashed);
  EXPECT_EQ(details->what, Full().what);
  EXPECT_EQ(details->evidence, Full().evidence);
  EXPECT_EQ(details->hint, Full().hint);
  EXPECT_EQ(details->exit_status, Full().exit_status);
  EXPECT_EQ(details->panic, Full().panic);
  EXPECT_EQ(details->stderr_tail, Full().stderr_tail);
}

TEST(MakeErrorTest, TheMessageHoldsWhatEvidenceExitHintAndTail) {
  const absl::Status status = MakeError(Full());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "the plugin ended unasked; pid 7; line \"1|1\"; signal 11 "
            "(SIGSEGV), core dumped; hint: look at its log; last "
            "stderr:\nlast words");
}

TEST(MakeErrorTest, OtherStatusesHaveNoDetails) {
  EXPECT_FALSE(GetErrorDetails(absl::OkStatus()).has_value());
  EXPECT_FALSE(GetErrorDetails(absl::InternalError("x")).has_value());
}

TEST(MakeErrorTest, EveryReasonHasANameOfItsOwnAndComesBack) {
  std::set<std::string> names;
  const int last = static_cast<int>(Reason::kResources);
  for (int i = 0; i <= last; ++i) {
    const auto reason = static_cast<Reason>(i);
    EXPECT_TRUE(names.insert(ReasonName(reason)).second) << i;
    const absl::Status status = MakeError(reason, "what", "hint");
    EXPECT_EQ(status.code(), ReasonCode(reason));
    EXPECT_EQ(GetErrorDetails(status)->reason, reason);
  }
}

TEST(QuoteTest, EscapesAndCutsInTheMiddle) {
  EXPECT_EQ(Quote("a\n\xff"), "\"a\\n\\xff\"");
  EXPECT_EQ(Quote("abcdefghij", 4), "\"ab\" ... 6 bytes left out ... \"ij\"");
}

TEST(ExitStatusTest, SaysWhatHappened) {
  EXPECT_EQ((ExitStatus{ExitStatus::Kind::kExited, 3, false}).ToString(),
            "exit code 3");
  EXPECT_EQ((ExitStatus{ExitStatus::Kind::kSignalled, 9, false}).ToString(),
            "signal 9 (SIGKILL)");
  EXPECT_EQ((ExitStatus{ExitStatus::Kind::kSignalled, 40, false}).ToString(),
            "signal 40");
  EXPECT_THAT(ExitStatus().ToString(), HasSubstr("unknown"));
  EXPECT_TRUE((ExitStatus{ExitStatus::Kind::kExited, 0, false}).success());
  EXPECT_FALSE(ExitStatus().success());
}

}  // namespace
}  // namespace goplugin::internal

#include "goplugin/internal/error/make_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/text/utf8.h"

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

// Every byte, with NUL in front, between and at the end.
std::string EveryByte() {
  std::string bytes("\0", 1);
  for (int i = 255; i >= 0; --i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

TEST(MakeErrorTest, EveryFieldTakesEveryByte) {
  ErrorDetails details = Full();
  details.what = EveryByte();
  details.evidence = {EveryByte(), "", EveryByte()};
  details.hint = EveryByte();
  details.panic = EveryByte();
  details.stderr_tail = EveryByte();
  const absl::Status status = MakeError(details);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(IsValidUtf8(status.message())) << status.message();
  EXPECT_EQ(status.message().find('\0'), absl::string_view::npos);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\\xff\\xfe"));
  const absl::optional<ErrorDetails> back = GetErrorDetails(status);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->reason, Reason::kCrashed);
  EXPECT_EQ(back->what, details.what);
  EXPECT_EQ(back->evidence, details.evidence);
  EXPECT_EQ(back->hint, details.hint);
  EXPECT_EQ(back->exit_status, details.exit_status);
  EXPECT_EQ(back->panic, details.panic);
  EXPECT_EQ(back->stderr_tail, details.stderr_tail);
}

TEST(MakeErrorTest, ByteByByteInEveryField) {
  const auto with = [](std::string ErrorDetails::*field, std::string text) {
    ErrorDetails details = Full();
    details.*field = std::move(text);
    return details;
  };
  for (auto field : {&ErrorDetails::what, &ErrorDetails::hint,
                     &ErrorDetails::panic, &ErrorDetails::stderr_tail}) {
    for (int byte = 0; byte < 256; ++byte) {
      const ErrorDetails details =
          with(field, std::string(1, static_cast<char>(byte)));
      const absl::Status status = MakeError(details);
      ASSERT_TRUE(IsValidUtf8(status.message())) << byte;
      ASSERT_EQ((*GetErrorDetails(status)).*field, details.*field) << byte;
    }
  }
}

std::string Huge(const std::string& piece) {
  std::string text;
  while (text.size() < 1000000) text += piece;
  return text;
}

void ExpectBounded(const absl::Status& status) {
  EXPECT_TRUE(IsValidUtf8(status.message()));
  EXPECT_LE(status.message().size(), 64 * 1024);
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, Reason::kCrashed);
  EXPECT_TRUE(details->exit_status.has_value());
  size_t facts = 0;
  for (const std::string& fact : details->evidence) facts += fact.size();
  EXPECT_LE(facts, 128 * 1024);
  EXPECT_LE(details->evidence.size(), 256);
  for (const std::string* text : {&details->what, &details->hint,
                                  &details->panic, &details->stderr_tail}) {
    EXPECT_LE(text->size(), 32 * 1024);
    EXPECT_GE(text->size(), 31 * 1024);
    EXPECT_THAT(*text, HasSubstr(" bytes left out] "));
  }
  EXPECT_LE(status.GetPayload("type.googleapis.com/goplugin.wire.ErrorDetails")
                ->size(),
            264 * 1024);
}

TEST(MakeErrorTest, HugeTextsAreBounded) {
  for (const std::string piece : {"x", "\xE2\x82\xAC", "\xff", "\x80"}) {
    ErrorDetails details = Full();
    details.what = Huge(piece);
    details.hint = Huge(piece);
    details.panic = Huge(piece);
    details.stderr_tail = Huge(piece);
    details.evidence.assign(10000, "a fact");
    details.evidence[0] = Huge(piece);
    const absl::Status status = MakeError(details);
    ExpectBounded(status);
    const ErrorDetails back = *GetErrorDetails(status);
    EXPECT_EQ(back.evidence.back(), "[9745 further facts left out]");
    // What is bounded stays as it is.
    const ErrorDetails again = *GetErrorDetails(MakeError(back));
    EXPECT_EQ(again.what, back.what);
    EXPECT_EQ(again.hint, back.hint);
    EXPECT_EQ(again.evidence, back.evidence);
  }
}

TEST(MakeErrorTest, ManyLongFactsAreBounded) {
  ErrorDetails details = Full();
  for (std::string* text :
       {&details.what, &details.hint, &details.panic, &details.stderr_tail}) {
    *text = Huge("y");
  }
  details.evidence.assign(300, Huge("z").substr(0, 30000));
  ExpectBounded(MakeError(details));
}

TEST(MakeErrorTest, TheTailOfAMessageIsCutBetweenCharacters) {
  ErrorDetails details = Full();
  details.what = "x";
  for (int i = 0; i < 4; ++i) {
    details.stderr_tail = std::string(static_cast<size_t>(i), 'a');
    while (details.stderr_tail.size() < 9000) {
      details.stderr_tail += "\xE2\x82\xAC";
    }
    const absl::Status status = MakeError(details);
    EXPECT_EQ(status.message().find("\\x"), absl::string_view::npos)
        << status.message();
  }
}

TEST(MakeErrorTest, ADamagedPayloadLeavesReasonByCodeAndMessage) {
  const std::string url = "type.googleapis.com/goplugin.wire.ErrorDetails";
  absl::Status status = MakeError(Full());
  status.SetPayload(url, absl::Cord("\xff\xff\xff"));
  absl::optional<ErrorDetails> details = GetErrorDetails(status);
  ASSERT_TRUE(details.has_value());
  // Crashed or exited early, or no connection: not known.
  EXPECT_EQ(details->reason, Reason::kUnknown);
  EXPECT_EQ(details->what, status.message());

  absl::Status checksum = MakeError(Reason::kChecksum, "another file", "");
  checksum.SetPayload(url, absl::Cord("\xff\xff\xff"));
  details = GetErrorDetails(checksum);
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, Reason::kChecksum);
  EXPECT_EQ(details->what, "another file");
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

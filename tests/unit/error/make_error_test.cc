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
            "the plugin ended unasked; hint: look at its log; pid 7; line "
            "\"1|1\"; signal 11 (SIGSEGV), core dumped; last "
            "stderr:\nlast words");
}

constexpr char kUrl[] = "type.googleapis.com/goplugin.wire.ErrorDetails";

size_t PayloadSize(const absl::Status& status) {
  return status.GetPayload(kUrl)->size();
}

void ExpectSame(const ErrorDetails& details, const ErrorDetails& want) {
  EXPECT_EQ(details.reason, want.reason);
  EXPECT_EQ(details.what, want.what);
  EXPECT_EQ(details.evidence, want.evidence);
  EXPECT_EQ(details.hint, want.hint);
  EXPECT_EQ(details.exit_status, want.exit_status);
  EXPECT_EQ(details.panic, want.panic);
  EXPECT_EQ(details.stderr_tail, want.stderr_tail);
}

// Who prints the whole status sees it behind the message.
TEST(MakeErrorTest, ThePayloadRepeatsNothingOfTheMessage) {
  ErrorDetails details = Full();
  details.evidence = {std::string(300, 'e'), "", "last fact"};
  details.hint = std::string(300, 'h');
  details.stderr_tail = "first\n" + std::string(1500, 't') + "\npanic: x\nend";
  const absl::Status status = MakeError(details);
  EXPECT_LE(PayloadSize(status), 64);
  ExpectSame(*GetErrorDetails(status), details);
  EXPECT_LE(PayloadSize(MakeError(Reason::kSpawn, "what", "hint")), 32);
}

TEST(MakeErrorTest, OfALongTailThePayloadHasWhatTheMessageLacks) {
  ErrorDetails details = Full();
  details.stderr_tail.clear();
  for (int i = 0; i < 500; ++i) details.stderr_tail += "a line of twenty b\n";
  details.stderr_tail += "panic: x";
  const absl::Status status = MakeError(details);
  EXPECT_LT(PayloadSize(status), details.stderr_tail.size() - 1900);
  ExpectSame(*GetErrorDetails(status), details);
}

// As those do who say what they were about.
TEST(MakeErrorTest, DetailsSurviveWordsBeforeOrBehindTheMessage) {
  const absl::Status status = MakeError(Full());
  for (const std::string& message :
       {"loading kv: " + std::string(status.message()),
        std::string(status.message()) + " (third try)"}) {
    absl::Status annotated(status.code(), message);
    annotated.SetPayload(kUrl, *status.GetPayload(kUrl));
    ExpectSame(*GetErrorDetails(annotated), Full());
  }
}

TEST(MakeErrorTest, OfAnotherMessageTheReasonIsKnown) {
  const absl::Status status = MakeError(Full());
  for (const std::string message : {"", "short", "the plugin ended uNasked"}) {
    absl::Status other(status.code(), message);
    other.SetPayload(kUrl, *status.GetPayload(kUrl));
    const ErrorDetails details = *GetErrorDetails(other);
    EXPECT_EQ(details.reason, Reason::kCrashed);
    EXPECT_EQ(details.what, message);
    EXPECT_EQ(details.hint, "");
    EXPECT_EQ(details.exit_status, Full().exit_status);
  }
}

TEST(MakeErrorTest, TheTailOfAMessageBeginsAtALine) {
  ErrorDetails details = Full();
  for (int i = 0; i < 500; ++i) {
    details.stderr_tail += "\n" + std::string(97, 'x') + " end";
  }
  const std::string message(MakeError(details).message());
  const std::string lead = "last stderr:\n";
  const std::string tail = message.substr(message.find(lead) + lead.size());
  EXPECT_EQ(tail.substr(0, 102), std::string(97, 'x') + " end\n");
  EXPECT_GT(tail.size(), 1900);
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

TEST(ToStringTest, IsTheCodeAndTheMessage) {
  EXPECT_EQ(ToString(absl::OkStatus()), "OK");
  EXPECT_EQ(ToString(MakeError(Reason::kSpawn, "what", "do this")),
            "FAILED_PRECONDITION: what; hint: do this");
  // Somebody else's status, and what somebody else has put into ours.
  EXPECT_EQ(ToString(absl::InternalError("x")), "INTERNAL: x");
  absl::Status status = MakeError(Reason::kSpawn, "what", "");
  status.SetPayload("other.Thing", absl::Cord("abc"));
  EXPECT_EQ(ToString(status), "FAILED_PRECONDITION: what [other.Thing='abc']");
}

// The second set of control characters (CSI is U+009B) included.
TEST(ToStringTest, SteersNoTerminal) {
  const absl::Status status = MakeError(Reason::kSpawn,
                                        "a\x1b[2J\xc2\x9b"
                                        "31m\rover\x7f",
                                        "\xc3\xa4\tb\nc");
  EXPECT_EQ(ToString(status),
            "FAILED_PRECONDITION: a\\x1b[2J\\xc2\\x9b31m\\rover\\x7f; hint: "
            "\xc3\xa4\tb\nc");
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

TEST(QuoteTest, ACertificateIsShortened) {
  const std::string certificate = "MIICTzCC" + std::string(800, 'Q') + "==";
  EXPECT_EQ(Quote("1|1|unix|/s|grpc|" + certificate + "|true"),
            "\"1|1|unix|/s|grpc|MIICTzCCQQQQQQQQ...(810 characters)|true\"");
  // In a text that is cut as well, and more than one.
  EXPECT_EQ(Quote("a " + certificate + "\nb " + certificate, 90),
            "\"a MIICTzCCQQQQQQQQ...(810 characters)\\nb "
            "MIICTzCCQQQQQQQQ...(810 characters)\"");
  const std::string path = "/MIIC/" + std::string(90, 'd');
  EXPECT_EQ(Quote(path), "\"" + path + "\"");
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

#include "goplugin/internal/log/stderr_tail.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "goplugin/internal/text/utf8.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

constexpr size_t kMax = StderrTail::kMaxBytes;

TEST(StderrTailTest, KeepsAFewLines) {
  StderrTail tail;
  EXPECT_EQ(tail.ToString(), "");
  tail.Append("one");
  EXPECT_EQ(tail.ToString(), "one");
  tail.Append("");
  tail.Append("three");
  EXPECT_EQ(tail.ToString(), "one\n\nthree");
}

TEST(StderrTailTest, KeepsTheLast200Lines) {
  StderrTail tail;
  std::string want;
  for (int i = 0; i < 500; ++i) {
    tail.Append(absl::StrCat("line ", i));
    if (i >= 300) absl::StrAppend(&want, i > 300 ? "\n" : "", "line ", i);
  }
  EXPECT_EQ(tail.ToString(), want);
}

TEST(StderrTailTest, KeepsWholeLinesOfTheLast16KiB) {
  StderrTail tail;
  for (int i = 0; i < 1000; ++i) {
    tail.Append(absl::StrCat(i, " ", std::string(996, 'x')));
    const std::string text = tail.ToString();
    ASSERT_LE(text.size(), kMax);
    ASSERT_GE(text.size() + 1100, std::min(kMax, size_t{1000} * i));
    ASSERT_NE(text.front(), 'x');
  }
}

TEST(StderrTailTest, LinesThatFitExactlyStay) {
  StderrTail tail;
  tail.Append("gone");
  const std::string half(kMax / 2, 'h');
  tail.Append(half);
  tail.Append(half.substr(1));
  EXPECT_EQ(tail.ToString(), absl::StrCat(half, "\n", half.substr(1)));
}

TEST(StderrTailTest, OfOneHugeLineTheEndIsKept) {
  StderrTail tail;
  tail.Append("before");
  tail.Append(absl::StrCat(std::string(100000, 'x'), "END"));
  EXPECT_EQ(tail.ToString(), absl::StrCat(std::string(kMax - 3, 'x'), "END"));
  tail.Append("after");
  EXPECT_EQ(tail.ToString(), "after");
}

// As a log sink shows it: ToString(LogEntry).
TEST(StderrTailTest, ALineThatIsUnderstoodReadsAsItsEntry) {
  StderrTail tail;
  tail.Append("starting");
  tail.Append(R"({"@level":"error","@message":"no licence","@module":"kv",)"
              R"("@timestamp":"2026-01-02T03:04:05.000000Z","path":"/a b"})");
  tail.Append("2026-01-02T03:04:05.000Z [WARN]  kv: slow: ms=7");
  tail.Append("Traceback (most recent call last):  ");
  tail.Append("  File \"x.py\", line 1");
  tail.Append("\x1b[31mred\x1b[0m");
  EXPECT_EQ(ReadableTail(tail.ToString()),
            "starting\n"
            "[ERROR] kv: no licence: path=\"/a b\"\n"
            "[WARN]  kv: slow: ms=7\n"
            "Traceback (most recent call last):\n"
            "  File \"x.py\", line 1\n"
            "red");
}

TEST(StderrTailTest, BeginsAtALineWhenLinesAreJson) {
  StderrTail tail;
  for (int i = 0; i < 300; ++i) {
    tail.Append(absl::StrCat(R"({"@level":"info","@message":"m )", i,
                             std::string(300, 'x'), R"("})"));
    const std::string text = ReadableTail(tail.ToString());
    ASSERT_EQ(text.rfind("[INFO]  m ", 0), 0u) << i;
    ASSERT_LE(text.size(), kMax);
  }
}

TEST(StderrTailTest, IsAlwaysValidUtf8) {
  StderrTail bad;
  bad.Append("a\xff z");
  EXPECT_EQ(bad.ToString(), "a\xEF\xBF\xBD z");

  StderrTail cut;
  std::string euros;
  while (euros.size() < 2 * kMax) euros += "\xE2\x82\xAC";
  cut.Append(euros);
  EXPECT_TRUE(IsValidUtf8(cut.ToString()));
  EXPECT_LE(cut.ToString().size(), kMax);
  EXPECT_GT(cut.ToString().size(), kMax - 9);

  StderrTail binary;
  for (int i = 0; i < 100; ++i) binary.Append(std::string(9999, '\x80'));
  EXPECT_TRUE(IsValidUtf8(binary.ToString()));
  EXPECT_LE(binary.ToString().size(), kMax);
}

}  // namespace
}  // namespace goplugin::internal

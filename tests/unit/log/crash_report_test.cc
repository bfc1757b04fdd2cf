#include "goplugin/internal/log/crash_report.h"

#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

// Feeds `lines`, in which those of a report are marked with "> ", and expects
// exactly these to be taken, and `text` to be the last report.
void Expect(const std::vector<std::string>& lines, const std::string& text) {
  CrashReport report;
  for (const std::string& marked : lines) {
    const bool want = marked.substr(0, 2) == "> ";
    const std::string line = want ? marked.substr(2) : marked;
    EXPECT_EQ(report.Add(line, false), want) << line;
  }
  EXPECT_EQ(report.text(), text);
}

TEST(CrashReportTest, OrdinaryLinesAreNone) {
  Expect({"hello", "", "panic", "don't panic: x", " panic: indented",
          "fatal error:x", "SIG: x", "SIGTERM received", "SIGn: x",
          "==1==", "==1== ERROR SUMMARY: 0 errors", "thread 'x' is fine",
          "traceback (most recent call last):"},
         "");
}

TEST(CrashReportTest, GoPanicsGoOnToTheEnd) {
  Expect({"before", "> panic: boom", "> ", "> goroutine 1 [running]:",
          "> main.main()", "> \t/x/main.go:7 +0x1d", "> exit status 2"},
         "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n"
         "\t/x/main.go:7 +0x1d\nexit status 2");
  Expect({"> fatal error: all goroutines are asleep - deadlock!", "> more"},
         "fatal error: all goroutines are asleep - deadlock!\nmore");
  Expect({"> SIGSEGV: segmentation violation", "> PC=0x0", "> fatal error: x",
          "> y"},
         "SIGSEGV: segmentation violation\nPC=0x0\nfatal error: x\ny");
}

TEST(CrashReportTest, ALaterPanicStartsANewReport) {
  Expect({"> panic: one", "> more", "> panic: two", "> more"},
         "panic: two\nmore");
}

TEST(CrashReportTest, OtherLastWords) {
  Expect({"> terminate called after throwing an instance of 'X'",
          ">   what():  x"},
         "terminate called after throwing an instance of 'X'\n  what():  x");
  Expect({"> ==12==ERROR: AddressSanitizer: heap-use-after-free", "> x"},
         "==12==ERROR: AddressSanitizer: heap-use-after-free\nx");
}

TEST(CrashReportTest, RustPanicsEndAtTheNextTaggedLine) {
  for (const char* first :
       {"thread 'main' panicked at src/main.rs:2:5:",
        "thread 'main' (77) panicked at src/main.rs:2:5:"}) {
    CrashReport report;
    EXPECT_TRUE(report.Add(first, false));
    EXPECT_TRUE(report.Add("boom", false));
    report.SkipTagged();
    EXPECT_FALSE(report.Add("ordinary", false));
    EXPECT_EQ(report.text(), absl::StrJoin({first, "boom"}, "\n"));
  }
}

TEST(CrashReportTest, TaggedLinesDoNotEndAGoPanic) {
  CrashReport report;
  EXPECT_TRUE(report.Add("panic: x", false));
  report.SkipTagged();
  EXPECT_TRUE(report.Add("goroutine 1", false));
}

TEST(CrashReportTest, TracebacksEndWithTheirException) {
  Expect({"before", "> Traceback (most recent call last):",
          ">   File \"x.py\", line 1, in <module>", ">     f()",
          "> ValueError: bad", "after", "  indented after"},
         "Traceback (most recent call last):\n"
         "  File \"x.py\", line 1, in <module>\n    f()\nValueError: bad");
}

TEST(CrashReportTest, ChainedTracebacksAreOneReport) {
  for (const char* chain :
       {"During handling of the above exception, another exception occurred:",
        "The above exception was the direct cause of the following "
        "exception:"}) {
    CrashReport report;
    const std::vector<std::string> lines = {
        "Traceback (most recent call last):", "  File 1", "KeyError: 1",  chain,
        "Traceback (most recent call last):", "  File 2", "ValueError: 2"};
    for (const std::string& line : lines) {
      EXPECT_TRUE(report.Add(line, false)) << line;
    }
    EXPECT_FALSE(report.Add("after", false));
    EXPECT_EQ(report.text(), absl::StrJoin(lines, "\n"));
  }
}

TEST(CrashReportTest, ChainsBehindBlankLinesToo) {
  Expect({"> Traceback (most recent call last):", ">   a", "> E: 1", "",
          "> During handling of the above exception, another exception "
          "occurred:",
          "", "> Traceback (most recent call last):", ">   b", "> E: 2"},
         "Traceback (most recent call last):\n  a\nE: 1\n"
         "During handling of the above exception, another exception occurred:\n"
         "Traceback (most recent call last):\n  b\nE: 2");
}

TEST(CrashReportTest, ASecondTracebackIsANewReport) {
  Expect({"> Traceback (most recent call last):", ">   a", "> E: 1", "text",
          "> Traceback (most recent call last):", ">   b", "> E: 2"},
         "Traceback (most recent call last):\n  b\nE: 2");
  Expect({"> Traceback (most recent call last):", ">   a", "> E: 1",
          "> Traceback (most recent call last):", ">   b", "> E: 2"},
         "Traceback (most recent call last):\n  b\nE: 2");
}

TEST(CrashReportTest, ExceptionGroups) {
  Expect({">   + Exception Group Traceback (most recent call last):",
          ">   |   File x", ">   | ExceptionGroup: two (2 sub-exceptions)",
          ">   +-+---------------- 1 ----------------", ">     | E: 1",
          ">     +------------------------------------", "after"},
         "  + Exception Group Traceback (most recent call last):\n"
         "  |   File x\n  | ExceptionGroup: two (2 sub-exceptions)\n"
         "  +-+---------------- 1 ----------------\n    | E: 1\n"
         "    +------------------------------------");
}

TEST(CrashReportTest, TracebacksInABox) {
  const std::string top =
      "\xE2\x95\xAD\xE2\x94\x80 Traceback (most recent call last) \xE2\x94\x80";
  const std::string side = "\xE2\x94\x82 x.py:1";
  const std::string bottom = "\xE2\x95\xB0\xE2\x94\x80";
  Expect({"> " + top, "> " + side, "> " + bottom, "> E: 1", "after"},
         absl::StrJoin({top, side, bottom, std::string("E: 1")}, "\n"));
}

TEST(CrashReportTest, TheRestOfALongLineFollowsItsStart) {
  CrashReport report;
  EXPECT_FALSE(report.Add("panic: in the middle of a line", true));
  EXPECT_TRUE(report.Add("Traceback (most recent call last):", false));
  EXPECT_TRUE(report.Add("  a very", false));
  EXPECT_TRUE(report.Add("long line", true));
  EXPECT_TRUE(report.Add("E: 1", false));
  EXPECT_FALSE(report.Add("after", false));
}

}  // namespace
}  // namespace goplugin::internal

#include "goplugin/internal/text/terminal.h"

#include <string>

#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

TEST(TerminalTest, EscapesControlCharacters) {
  EXPECT_EQ(EscapeControlCharacters("", ""), "");
  EXPECT_EQ(EscapeControlCharacters("a\tb\nc\rd\x1b[m\x7f", "\t\n"),
            "a\tb\nc\\rd\\x1b[m\\x7f");
  EXPECT_EQ(EscapeControlCharacters("\n\t", ""), "\\n\\t");
  EXPECT_EQ(EscapeControlCharacters(std::string("\0x", 2), ""), "\\x00x");
  // U+0080, U+009F; U+00A0 and above are none.
  EXPECT_EQ(EscapeControlCharacters("\xc2\x80\xc2\x9f\xc2\xa0\xc3\x9b", ""),
            "\\xc2\\x80\\xc2\\x9f\xc2\xa0\xc3\x9b");
}

TEST(TerminalTest, RemovesControlSequences) {
  const struct {
    const char *text, *want;
  } kCases[] = {
      {"", ""},
      {"plain", "plain"},
      {"\x1b[31mred\x1b[0m", "red"},
      {"\x1b[1;38;5;9mx\x1b[K\x1b[?25h", "x"},
      {"\x1b", "\x1b"},
      {"\x1b[", "\x1b["},
      {"\x1b[31", "\x1b[31"},
      {"\x1b]0;title", "\x1b]0;title"},
      {"\x1b]0;title\ax", "x"},
      {"\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"},
      {"\x1b]0;\x1b[1mx", "\x1b]0;x"},
      {"\x1b(Bx\x1b=\x1b>y\x1b"
       "7",
       "xy"},
      {"\x1b(", "\x1b("},
      {"\x1b\x1b[m", "\x1b"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(WithoutTerminalSequences(c.text), c.want);
  }
  EXPECT_FALSE(HasTerminalSequence("plain [31m"));
  EXPECT_TRUE(HasTerminalSequence("\x1b[31m"));
}

}  // namespace
}  // namespace goplugin::internal

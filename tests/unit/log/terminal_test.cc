#include "goplugin/internal/log/terminal.h"

#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

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

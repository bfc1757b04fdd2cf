#include "goplugin/internal/log/bounded_text.h"

#include <string>

#include "absl/strings/match.h"
#include "goplugin/internal/text/utf8.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

TEST(BoundedTextTest, KeepsAllOfALittle) {
  BoundedText text;
  EXPECT_EQ(text.ToString(), "");
  text.AddLine("one");
  text.AddLine("two");
  EXPECT_EQ(text.ToString(), "one\ntwo");
  text.Clear();
  EXPECT_EQ(text.ToString(), "");
}

TEST(BoundedTextTest, KeepsTheEndsOfMuch) {
  BoundedText text;
  text.AddLine("FIRST");
  for (int i = 0; i < 100000; ++i) text.AddLine("line");
  text.AddLine("LAST");
  const std::string all = text.ToString();
  EXPECT_LE(all.size(), BoundedText::kMaxBytes);
  EXPECT_GT(all.size(), BoundedText::kMaxBytes - 256);
  EXPECT_TRUE(absl::StartsWith(all, "FIRST\nline\n"));
  EXPECT_TRUE(absl::EndsWith(all, "\nline\nLAST"));
  EXPECT_TRUE(absl::StrContains(all, " bytes left out]\n"));
}

TEST(BoundedTextTest, CutsCharactersCleanly) {
  for (int shift = 0; shift < 3; ++shift) {
    std::string euros(shift, 'x');
    while (euros.size() < 99999) euros += "\xE2\x82\xAC";
    BoundedText text;
    text.AddLine(euros);
    EXPECT_TRUE(IsValidUtf8(text.ToString()));
    EXPECT_LE(text.ToString().size(), BoundedText::kMaxBytes);
  }
}

}  // namespace
}  // namespace goplugin::internal

#include "goplugin/internal/text/utf8.h"

#include <string>

#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

#define R "\xEF\xBF\xBD"

TEST(Utf8Test, ReplacesWhatIsNoCharacter) {
  const struct {
    std::string text, want;
  } kCases[] = {
      {"", ""},
      {"plain", "plain"},
      {"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80",
       "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"},
      {"\xED\x9F\xBF \xEE\x80\x80 \xF4\x8F\xBF\xBF",
       "\xED\x9F\xBF \xEE\x80\x80 \xF4\x8F\xBF\xBF"},
      {std::string("a\0b", 3), std::string("a\0b", 3)},
      {"\x80", R},                    // a lone continuation
      {"\xff\xfe", R R},              // never a character
      {"\xC0\xAF", R R},              // overlong
      {"\xE0\x80\xAF", R R R},        // overlong
      {"\xED\xA0\x80", R R R},        // a surrogate
      {"\xF4\x90\x80\x80", R R R R},  // beyond Unicode
      {"\xF8\x88\x80\x80\x80", R R R R R},
      {"\xE2\x82", R},       // cut off at the end
      {"\xE2\x82z", R "z"},  // one for the longest start
      {"\xF0\x9F\x98 \xC3", R " " R},
      {"\xE2\xE2\x82\xAC", R "\xE2\x82\xAC"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(ReplaceInvalidUtf8(c.text), c.want);
    EXPECT_EQ(IsValidUtf8(c.text), c.text == c.want);
    EXPECT_TRUE(IsValidUtf8(ReplaceInvalidUtf8(c.text)));
  }
}

TEST(Utf8Test, EscapesWhatIsNoCharacter) {
  const struct {
    std::string text, want;
  } kCases[] = {
      {"", ""},
      {"plain \\ \n \x7f", "plain \\ \n \x7f"},
      {"\xC3\xA9 \xE2\x82\xAC", "\xC3\xA9 \xE2\x82\xAC"},
      {"/tmp/\xff/\x80", "/tmp/\\xff/\\x80"},
      {"\xE2\x82z", "\\xe2\\x82z"},
      {"\xF0\x9F", "\\xf0\\x9f"},
      {std::string("a\0b", 3), "a\\x00b"},
  };
  for (const auto& c : kCases) EXPECT_EQ(EscapeInvalidUtf8(c.text), c.want);
}

TEST(Utf8Test, SeesOneBadByteWhereverItIs) {
  for (size_t size = 1; size < 40; ++size) {
    const std::string good(size, 'x');
    EXPECT_TRUE(IsValidUtf8(good));
    for (size_t i = 0; i < size; ++i) {
      std::string bad = good;
      bad[i] = '\x80';
      EXPECT_FALSE(IsValidUtf8(bad)) << i << " of " << size;
    }
  }
}

}  // namespace
}  // namespace goplugin::internal

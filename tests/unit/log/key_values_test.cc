#include "goplugin/internal/log/key_values.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using ::testing::ElementsAreArray;

struct Case {
  std::string text;
  size_t length;
  std::vector<Field> fields;
};

TEST(TakeTrailingPairsTest, TakesThePairsAtTheEnd) {
  const Case kCases[] = {
      {"", 0, {}},
      {"no pairs here", 13, {}},
      {"a=1", 0, {{"a", "1"}}},
      {"a=1 b.c=x-y  d= ", 0, {{"a", "1"}, {"b.c", "x-y"}, {"d", ""}}},
      {"text a=1", 5, {{"a", "1"}}},
      {"x=1 text a=1", 9, {{"a", "1"}}},
      {"a=1 text", 8, {}},
      {"m k=\"two words\" l='it''s'", 25, {}},
      {"m k=\"two words\" l='one'", 2, {{"k", "two words"}, {"l", "one"}}},
      {"k=\"a \\\"b\\\" \\n\\x41\"", 0, {{"k", "a \"b\" \nA"}}},
      {"k='it\\'s'", 0, {{"k", "it's"}}},
      {"k=[a, b] l={'x': {'y': 1}} m=(1, 2)",
       0,
       {{"k", "[a, b]"}, {"l", "{'x': {'y': 1}}"}, {"m", "(1, 2)"}}},
      {"k=\"open l=1", 0, {{"k", "\"open"}, {"l", "1"}}},
      {"k=[open l=1", 0, {{"k", "[open"}, {"l", "1"}}},
      {"k=\"bad \\q escape\"", 0, {{"k", "bad \\q escape"}}},
      {"k=\"\\xff\"", 0, {{"k", "\xEF\xBF\xBD"}}},
      {"=1", 2, {}},
      {"a b=\"c\"d", 8, {}},
      {"url=http://x?y=1", 0, {{"url", "http://x?y=1"}}},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.text);
    std::vector<Field> fields;
    EXPECT_EQ(TakeTrailingPairs(c.text, &fields), c.length);
    EXPECT_THAT(fields, ElementsAreArray(c.fields));
  }
}

TEST(TakeTrailingPairsTest, TooManyAreNotTaken) {
  std::string text;
  for (size_t i = 0; i < kMaxFields; ++i) text += "k=v ";
  std::vector<Field> fields;
  EXPECT_EQ(TakeTrailingPairs(text, &fields), 0u);
  EXPECT_EQ(fields.size(), kMaxFields);
  fields.clear();
  text += "k=v";
  EXPECT_EQ(TakeTrailingPairs(text, &fields), text.size());
  EXPECT_TRUE(fields.empty());
}

TEST(StartsWithKeyTest, WantsAKeyAndItsEqualsSign) {
  EXPECT_TRUE(StartsWithKey("a=1"));
  EXPECT_TRUE(StartsWithKey("a.b-c/d_e@f="));
  EXPECT_FALSE(StartsWithKey(""));
  EXPECT_FALSE(StartsWithKey("a"));
  EXPECT_FALSE(StartsWithKey("=1"));
  EXPECT_FALSE(StartsWithKey("a b=1"));
}

}  // namespace
}  // namespace goplugin::internal

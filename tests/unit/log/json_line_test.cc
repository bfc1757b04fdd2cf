#include "goplugin/internal/log/json_line.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::vector<Field> MustRead(JsonLine* json, absl::string_view text) {
  std::vector<Field> fields;
  EXPECT_TRUE(json->Read(text, &fields)) << text;
  return fields;
}

TEST(JsonLineTest, GivesValuesAsTextInTheirOrder) {
  JsonLine json;
  EXPECT_THAT(
      MustRead(&json,
               R"({"z":"s","a":-1,"b":18446744073709551615,"c":true,)"
               R"("d":false,"e":null,"f":1.5,"g":[1,"x"],"h":{"i":{}},"":""})"),
      ElementsAre(Pair("z", "s"), Pair("a", "-1"),
                  Pair("b", "18446744073709551615"), Pair("c", "true"),
                  Pair("d", "false"), Pair("e", "null"), Pair("f", "1.5"),
                  Pair("g", R"([1,"x"])"), Pair("h", R"({"i":{}})"),
                  Pair("", "")));
  EXPECT_THAT(
      MustRead(&json, R"({"n":"\u0000\n\u00e9\ud83d\ude00"})"),
      ElementsAre(Pair("n", std::string("\0\n\xC3\xA9\xF0\x9F\x98\x80", 8))));
}

TEST(JsonLineTest, RefusesWhatIsNoObject) {
  JsonLine json;
  std::vector<Field> fields;
  for (const char* text :
       {"", "{", "{}}", "[]", "\"x\"", "1", "{\"a\"}", "{\"a\":}", "{a:1}",
        "{\"a\":1,}", "{\"a\":tru}", "{\"a\":1} {\"b\":2}", "not json"}) {
    EXPECT_FALSE(json.Read(text, &fields)) << text;
  }
  const std::string deep(30000, '[');
  EXPECT_FALSE(json.Read(absl::StrCat("{\"a\":", deep, "}"), &fields));
  EXPECT_THAT(MustRead(&json, "{\"still\":\"works\"}"),
              ElementsAre(Pair("still", "works")));
}

TEST(JsonLineTest, TakesWhatNeedsRepair) {
  JsonLine json;
  EXPECT_THAT(
      MustRead(&json, R"({"a":123456789012345678901234567890,"b":NaN,)"
                      R"("c":1.50,"d":"\udc80"})"),
      ElementsAre(Pair("a", "123456789012345678901234567890"), Pair("b", "NaN"),
                  Pair("c", "1.50"), Pair("d", "\xEF\xBF\xBD")));
}

TEST(JsonLineTest, ReadsTheFieldsOfTracing) {
  JsonLine json;
  EXPECT_THAT(
      MustRead(&json, R"({"level":"INFO","fields":{"message":"m","k":1}})"),
      ElementsAre(Pair("level", "INFO"), Pair("message", "m"), Pair("k", "1")));
  EXPECT_THAT(MustRead(&json, R"({"fields":{"k":1}})"),
              ElementsAre(Pair("fields", R"({"k":1})")));
}

TEST(JsonLineTest, RefusesTooManyMembers) {
  JsonLine json;
  std::string text = "{\"k\":0";
  for (size_t i = 1; i < kMaxFields; ++i) text += ",\"k\":0";
  EXPECT_EQ(MustRead(&json, text + "}").size(), kMaxFields);
  std::vector<Field> fields;
  EXPECT_FALSE(json.Read(text + ",\"k\":0}", &fields));
}

TEST(JsonLineTest, LongLinesBetweenShortOnes) {
  JsonLine json;
  for (const size_t length : {10, 60000, 5, 65000, 100}) {
    const std::string value(length, 'v');
    EXPECT_THAT(MustRead(&json, absl::StrCat("{\"k\":\"", value, "\"}")),
                ElementsAre(Pair("k", value)));
  }
}

}  // namespace
}  // namespace goplugin::internal

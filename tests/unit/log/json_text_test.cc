#include "goplugin/internal/log/json_text.h"

#include <string>

#include "gtest/gtest.h"
#include "simdjson.h"

namespace goplugin::internal {
namespace {

std::string Json(absl::string_view text, std::size_t room, bool whole = true) {
  std::string out;
  EXPECT_EQ(AppendJsonString(text, room, out), whole) << text;
  EXPECT_LE(out.size(), room);
  return out;
}

TEST(JsonTextTest, EscapesWhatJsonForbids) {
  EXPECT_EQ(Json("plain", 99), R"("plain")");
  EXPECT_EQ(Json("", 99), R"("")");
  EXPECT_EQ(Json("a\"b\\c\nd\re\tf", 99), R"("a\"b\\c\nd\re\tf")");
  EXPECT_EQ(Json(absl::string_view("\0\x1f\x7f", 3), 99),
            "\"\\u0000\\u001f\x7f\"");
  EXPECT_EQ(Json("\u00e4\u20ac\U0001f600", 99), "\"\u00e4\u20ac\U0001f600\"");
}

TEST(JsonTextTest, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(Json("a\xff\x62\xc3", 99), "\"a\ufffd\x62\ufffd\"");
}

TEST(JsonTextTest, AppendsToWhatIsThere) {
  std::string out = "key:";
  EXPECT_TRUE(AppendJsonString("x", kMinJsonString, out));
  EXPECT_EQ(out, "key:\"x\"");
}

TEST(JsonTextTest, CutsBetweenCharacters) {
  EXPECT_EQ(Json("12345678", 10), R"("12345678")");
  EXPECT_EQ(Json("123456789", 10, false), R"("12345...")");
  EXPECT_EQ(Json("1234", kMinJsonString, false), R"("...")");
  // An escape is not cut in two, nor a character of several bytes.
  EXPECT_EQ(Json("123\n5678", 9, false), R"("123...")");
  EXPECT_EQ(Json("123\u20ac5678", 9, false), R"("123...")");
}

TEST(JsonTextTest, NoCutSplitsACharacterOrGoesTooFar) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "\u20ac\"x\xff\U0001f600";
  simdjson::dom::parser parser;
  for (std::size_t room = kMinJsonString; room < 400; ++room) {
    std::string out;
    const bool whole = AppendJsonString(text, room, out);
    EXPECT_LE(out.size(), room);
    std::string_view read;
    ASSERT_FALSE(parser.parse(out).get(read)) << out;
    EXPECT_EQ(whole, read.substr(read.size() - 3) != "...") << room;
  }
}

}  // namespace
}  // namespace goplugin::internal

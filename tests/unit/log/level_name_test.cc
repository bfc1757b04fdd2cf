#include "goplugin/internal/log/level_name.h"

#include "absl/strings/ascii.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

TEST(ParseLevelNameTest, KnowsTheUsualWordsInAnyCase) {
  const struct {
    const char* word;
    LogLevel want;
  } kCases[] = {
      {"trace", LogLevel::kTrace},     {"debug", LogLevel::kDebug},
      {"info", LogLevel::kInfo},       {"notice", LogLevel::kInfo},
      {"warn", LogLevel::kWarn},       {"warning", LogLevel::kWarn},
      {"error", LogLevel::kError},     {"err", LogLevel::kError},
      {"fatal", LogLevel::kError},     {"critical", LogLevel::kError},
      {"dpanic", LogLevel::kError},    {"panic", LogLevel::kError},
      {"Emergency", LogLevel::kError}, {"info+2", LogLevel::kInfo},
      {"DEBUG-4", LogLevel::kDebug},   {"error+12", LogLevel::kError},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(ParseLevelName(c.word), c.want) << c.word;
    EXPECT_EQ(ParseLevelName(absl::AsciiStrToUpper(c.word)), c.want) << c.word;
  }
}

TEST(ParseLevelNameTest, OtherWords) {
  for (const char* word : {"", "in", "inform", "infos", "off", "none", "info+",
                           "info+x", "+2", "warnings", "informational"}) {
    EXPECT_EQ(ParseLevelName(word), absl::nullopt) << word;
  }
}

TEST(ParseLevelNumberTest, KnowsBunyansNumbers) {
  EXPECT_EQ(ParseLevelNumber(10), LogLevel::kTrace);
  EXPECT_EQ(ParseLevelNumber(20), LogLevel::kDebug);
  EXPECT_EQ(ParseLevelNumber(30), LogLevel::kInfo);
  EXPECT_EQ(ParseLevelNumber(40), LogLevel::kWarn);
  EXPECT_EQ(ParseLevelNumber(50), LogLevel::kError);
  EXPECT_EQ(ParseLevelNumber(60), LogLevel::kError);
  EXPECT_EQ(ParseLevelNumber(0), absl::nullopt);
  EXPECT_EQ(ParseLevelNumber(35), absl::nullopt);
}

}  // namespace
}  // namespace goplugin::internal

#include "goplugin/internal/log/timestamp.h"

#include <cmath>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

absl::Time Utc(int h, int m, int s) {
  return absl::FromCivil(absl::CivilSecond(2024, 1, 2, h, m, s),
                         absl::UTCTimeZone());
}

absl::Time Local(int h, int m, int s) {
  return absl::FromCivil(absl::CivilSecond(2024, 1, 2, h, m, s),
                         absl::LocalTimeZone());
}

TEST(ParseTimestampTest, KnownForms) {
  const struct {
    const char* text;
    absl::Time want;
  } kCases[] = {
      {"2024-01-02T15:04:05Z", Utc(15, 4, 5)},
      {"2024-01-02T15:04:05.000001Z", Utc(15, 4, 5) + absl::Microseconds(1)},
      {"2024-01-02T15:04:05.123456789Z",
       Utc(15, 4, 5) + absl::Nanoseconds(123456789)},
      {"2024-01-02T15:04:05.1234567890123Z",
       Utc(15, 4, 5) + absl::Nanoseconds(123456789)},
      {"2024-01-02T15:04:05+02:30", Utc(12, 34, 5)},
      {"2024-01-02T15:04:05.5-0130", Utc(16, 34, 5) + absl::Milliseconds(500)},
      {"2024-01-02 15:04:05", Local(15, 4, 5)},
      {"2024-01-02 15:04:05,250", Local(15, 4, 5) + absl::Milliseconds(250)},
      {"2024/01/02 15:04:05", Local(15, 4, 5)},
      {"2024/01/02 15:04:05.000250", Local(15, 4, 5) + absl::Microseconds(250)},
      {"2024-01-02 15:04.05", Local(15, 4, 5)},
      {"2024-01-02T15:04:60Z", Utc(15, 5, 0)},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(ParseTimestamp(c.text), c.want) << c.text;
  }
}

TEST(ParseTimestampTest, OtherText) {
  for (const char* text :
       {"", "2024", "2024-01-02", "2024-01-02T15:04", "2024-13-02T15:04:05Z",
        "2024-00-02T15:04:05Z", "2024-01-32T15:04:05Z", "2024-01-02T24:04:05Z",
        "2024-01-02T15:60:05Z", "2024-01/02 15:04:05", "2024-01-02X15:04:05Z",
        "2024-01-02T15:04:05Z ", "2024-01-02T15:04:05+1",
        "+024-01-02T15:04:05Z", "2024-01-02T15:04:05+99:00"}) {
    EXPECT_EQ(ParseTimestamp(text), absl::nullopt) << text;
  }
}

TEST(ConsumeTimestampTest, LeavesTheRestAndLeavesOtherTextAlone) {
  absl::string_view text = "2024-01-02T15:04:05Z [INFO] x";
  EXPECT_EQ(ConsumeTimestamp(&text), Utc(15, 4, 5));
  EXPECT_EQ(text, " [INFO] x");
  text = "2024-01-02T15:04:0x and more";
  EXPECT_EQ(ConsumeTimestamp(&text), absl::nullopt);
  EXPECT_EQ(text, "2024-01-02T15:04:0x and more");
}

TEST(TimeFromNumberTest, TellsTheUnitsApart) {
  const absl::Time want = absl::FromUnixSeconds(1704207845);
  EXPECT_EQ(TimeFromNumber(1704207845.0), want);
  EXPECT_EQ(TimeFromNumber(1704207845.5), want + absl::Milliseconds(500));
  EXPECT_EQ(TimeFromNumber(1704207845000.0), want);
  EXPECT_EQ(TimeFromNumber(1704207845000000.0), want);
  EXPECT_EQ(TimeFromNumber(1704207845000000000.0), want);
  EXPECT_EQ(TimeFromNumber(0), absl::UnixEpoch());
}

TEST(TimeFromNumberTest, NoTimeOfThisEra) {
  EXPECT_EQ(TimeFromNumber(-1), absl::nullopt);
  EXPECT_EQ(TimeFromNumber(9.3e18), absl::nullopt);
  EXPECT_EQ(TimeFromNumber(1e300), absl::nullopt);
  EXPECT_EQ(TimeFromNumber(std::nan("")), absl::nullopt);
}

}  // namespace
}  // namespace goplugin::internal

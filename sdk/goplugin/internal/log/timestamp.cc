#include "goplugin/internal/log/timestamp.h"

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/time/civil_time.h"

namespace goplugin::internal {
namespace {

// Reads from the front of a text; once something is missing, everything after
// fails.
class Cursor {
 public:
  explicit Cursor(absl::string_view text) : text_(text) {}

  bool ok() const { return ok_; }
  absl::string_view rest() const { return text_; }
  char Peek() const { return text_.empty() ? '\0' : text_.front(); }

  bool TakeIf(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  // One of the characters in `set`, which is returned; '\0' and failure if not.
  char OneOf(absl::string_view set) {
    for (const char c : set) {
      if (TakeIf(c)) return c;
    }
    ok_ = false;
    return '\0';
  }

  // Exactly `digits` digits with a value of `low` to `high`.
  int Number(size_t digits, int low, int high) {
    int value = 0;
    for (size_t i = 0; i < digits; ++i) {
      if (!absl::ascii_isdigit(static_cast<unsigned char>(Peek()))) {
        ok_ = false;
        return low;
      }
      value = value * 10 + (text_.front() - '0');
      text_.remove_prefix(1);
    }
    if (value < low || value > high) ok_ = false;
    return value;
  }

  // Any number of digits after a decimal point.
  absl::Duration Fraction() {
    int64_t nanoseconds = 0;
    int64_t unit = 100000000;
    while (absl::ascii_isdigit(static_cast<unsigned char>(Peek()))) {
      nanoseconds += unit * (text_.front() - '0');
      unit /= 10;
      text_.remove_prefix(1);
    }
    return absl::Nanoseconds(nanoseconds);
  }

 private:
  absl::string_view text_;
  bool ok_ = true;
};

absl::CivilDay ReadDay(Cursor& cursor) {
  const int year = cursor.Number(4, 1970, 9999);
  const char separator = cursor.OneOf("-/");
  const int month = cursor.Number(2, 1, 12);
  if (!cursor.TakeIf(separator)) cursor.OneOf("");
  const int day = cursor.Number(2, 1, 31);
  return absl::CivilDay(year, month, day);
}

absl::CivilSecond ReadTimeOfDay(Cursor& cursor, absl::CivilDay day) {
  const int hour = cursor.Number(2, 0, 23);
  cursor.OneOf(":");
  const int minute = cursor.Number(2, 0, 59);
  cursor.OneOf(":.");  // an old default of structlog has a '.'
  const int second = cursor.Number(2, 0, 60);
  return absl::CivilSecond(day.year(), day.month(), day.day(), hour, minute,
                           second);
}

// "Z", "+01:00", "-0700": what to take off for UTC; nullopt without a zone.
absl::optional<absl::Duration> ReadZone(Cursor& cursor) {
  if (cursor.TakeIf('Z')) return absl::ZeroDuration();
  const char sign = cursor.Peek();
  if (sign != '+' && sign != '-') return absl::nullopt;
  cursor.OneOf("+-");
  const int hours = cursor.Number(2, 0, 23);
  cursor.TakeIf(':');
  const int minutes = cursor.Number(2, 0, 59);
  const absl::Duration offset = absl::Hours(hours) + absl::Minutes(minutes);
  return sign == '-' ? -offset : offset;
}

}  // namespace

absl::optional<absl::Time> ConsumeTimestamp(absl::string_view* text) {
  // Cheaper than all that follows, and no for nearly every line.
  if (text->size() < sizeof("2006-01-02T15:04:05") - 1 ||
      !absl::ascii_isdigit(static_cast<unsigned char>(text->front()))) {
    return absl::nullopt;
  }
  Cursor cursor(*text);
  const absl::CivilDay day = ReadDay(cursor);
  cursor.OneOf("T ");
  const absl::CivilSecond second = ReadTimeOfDay(cursor, day);
  if (!cursor.ok()) return absl::nullopt;
  absl::Duration fraction;
  if (cursor.TakeIf('.') || cursor.TakeIf(',')) fraction = cursor.Fraction();
  const absl::optional<absl::Duration> offset = ReadZone(cursor);
  if (!cursor.ok()) return absl::nullopt;
  *text = cursor.rest();
  if (!offset) return absl::FromCivil(second, absl::LocalTimeZone()) + fraction;
  // What FromCivil makes of UTC, without a search for changes of the clock.
  return absl::UnixEpoch() + absl::Seconds(second - absl::CivilSecond()) -
         *offset + fraction;
}

absl::optional<absl::Time> ParseTimestamp(absl::string_view text) {
  const absl::optional<absl::Time> time = ConsumeTimestamp(&text);
  return text.empty() ? time : absl::nullopt;
}

absl::optional<absl::Time> TimeFromNumber(double number) {
  // What an int64_t holds: nanoseconds until 2255.
  if (!(number >= 0 && number < 9e18)) return absl::nullopt;
  // Each unit's numbers from 1973 to 5138 lie below the next one's.
  double limit = 1e11;
  for (const absl::Duration unit :
       {absl::Seconds(1), absl::Milliseconds(1), absl::Microseconds(1),
        absl::Nanoseconds(1)}) {
    if (number < limit) {
      const double whole = std::floor(number);
      return absl::UnixEpoch() + unit * static_cast<int64_t>(whole) +
             unit * (number - whole);
    }
    limit *= 1000;
  }
  return absl::nullopt;
}

}  // namespace goplugin::internal

#ifndef GOPLUGIN_INTERNAL_LOG_TIMESTAMP_H_
#define GOPLUGIN_INTERNAL_LOG_TIMESTAMP_H_

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace goplugin::internal {

// Takes a date and time of day from the front of `*text`, and leaves `*text`
// as it is when there is none. Known forms:
//   2006-01-02T15:04:05.000000Z  RFC 3339, any fraction, zone Z, +01:00, +0100
//   2006-01-02 15:04:05,000      ISO 8601 with a blank, '.' or ',', no zone
//   2006/01/02 15:04:05.000000   Go's log package
// Without a zone it is this process's local time, which is the plugin's unless
// its TZ differs.
absl::optional<absl::Time> ConsumeTimestamp(absl::string_view* text);

// The whole of `text` as a timestamp.
absl::optional<absl::Time> ParseTimestamp(absl::string_view text);

// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by
// their size; nullopt for what is no time of this era. A double holds today's
// time to about a microsecond.
absl::optional<absl::Time> TimeFromNumber(double number);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_TIMESTAMP_H_

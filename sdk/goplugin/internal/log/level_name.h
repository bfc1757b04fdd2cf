#ifndef GOPLUGIN_INTERNAL_LOG_LEVEL_NAME_H_
#define GOPLUGIN_INTERNAL_LOG_LEVEL_NAME_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/log_sink.h"

namespace goplugin::internal {

// The level a word stands for in any of the common logging libraries, whatever
// its case: "warn", "WARNING", "dpanic", "notice", also slog's "INFO+2".
// nullopt for other words.
absl::optional<LogLevel> ParseLevelName(absl::string_view word);

// The level of bunyan's and pino's numbers, 10 (trace) to 60 (fatal).
absl::optional<LogLevel> ParseLevelNumber(int64_t number);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_LEVEL_NAME_H_

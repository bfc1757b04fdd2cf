#ifndef GOPLUGIN_INTERNAL_LOG_FIELDS_H_
#define GOPLUGIN_INTERNAL_LOG_FIELDS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "goplugin/log_sink.h"

namespace goplugin::internal {

using Field = std::pair<std::string, std::string>;

// A line with more than these is not taken apart: an entry is to cost no more
// than a small multiple of its line.
inline constexpr size_t kMaxFields = 1024;

// Fills `entry` from the keys and values of a structured line: those that mean
// level, message, time or module to hclog, zap, slog, logrus, zerolog or
// structlog go to their places, the rest become fields. Values that don't make
// sense in their place (a level nobody knows) stay fields. With hclog's own
// keys ("@level", "@message") only hclog's keys count.
//
// False, and nothing done, when neither a level nor a message is there.
// `*has_level` tells whether there was a level.
bool FillFromFields(std::vector<Field>& fields, LogEntry* entry,
                    bool* has_level);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_FIELDS_H_

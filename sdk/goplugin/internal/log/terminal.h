#ifndef GOPLUGIN_INTERNAL_LOG_TERMINAL_H_
#define GOPLUGIN_INTERNAL_LOG_TERMINAL_H_

#include <string>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

// Whether `text` may hold a control sequence for a terminal: an escape.
bool HasTerminalSequence(absl::string_view text);

// `text` without control sequences such as "\x1b[31m", with which loggers
// colour their levels even when nobody looks. Other escapes stay.
std::string WithoutTerminalSequences(absl::string_view text);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_TERMINAL_H_

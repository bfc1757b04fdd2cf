#ifndef GOPLUGIN_INTERNAL_LOG_JSON_REPAIR_H_
#define GOPLUGIN_INTERNAL_LOG_JSON_REPAIR_H_

#include <string>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

// Makes JSON of what common loggers write and a strict parser refuses:
//   numbers of any length, NaN, Infinity  become strings of the same text
//   "\udc80" without its other half       becomes "\ufffd"
//   bare control characters in strings    are escaped
// Anything else is left as it is, right or wrong.
std::string RepairJson(absl::string_view json);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_JSON_REPAIR_H_

#ifndef GOPLUGIN_INTERNAL_TEXT_HEX_H_
#define GOPLUGIN_INTERNAL_TEXT_HEX_H_

#include <string>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

// The bytes that pairs of hexadecimal digits stand for. Anything else in
// `digits` counts as 0, and an odd last one is left out: look first.
std::string DecodeHex(absl::string_view digits);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TEXT_HEX_H_

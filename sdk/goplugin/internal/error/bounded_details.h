#ifndef GOPLUGIN_INTERNAL_ERROR_BOUNDED_DETAILS_H_
#define GOPLUGIN_INTERNAL_ERROR_BOUNDED_DETAILS_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "goplugin/error.h"

namespace goplugin::internal {

// What goplugin/error.h promises. A plugin, a path or a runner may have said
// any text, of any length.
inline constexpr size_t kMaxMessageBytes = size_t{64} * 1024;
inline constexpr size_t kMaxTextBytes = size_t{32} * 1024;
inline constexpr size_t kMaxEvidenceBytes = size_t{128} * 1024;
inline constexpr size_t kMaxFacts = 256;

// `text` in at most `max_bytes`, which are more than 100: without its middle,
// and with the number of bytes left out in its place, when it is longer.
std::string WithoutMiddle(absl::string_view text, size_t max_bytes);

// `details` within the bounds. What is within them stays as it is.
ErrorDetails Bounded(ErrorDetails details);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ERROR_BOUNDED_DETAILS_H_

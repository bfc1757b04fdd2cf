#ifndef GOPLUGIN_INTERNAL_HANDSHAKE_LINE_ERROR_H_
#define GOPLUGIN_INTERNAL_HANDSHAKE_LINE_ERROR_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/handshake/line_place.h"

namespace goplugin::internal {

// What is wrong with what a plugin prints where its handshake line should be.
// All but one are kHandshakeMalformed.

// Room for both ends of a Noise with every byte escaped once or twice.
inline constexpr size_t kQuotedNoiseBytes = size_t{4} * 1024 + 64;

// A line that begins at `place`, behind other text; or that line's own error.
absl::Status ErrorInside(const LinePlace& place, const HandshakePolicy& policy);

absl::Status InTwoBytes(absl::string_view line);

// A line that starts as one, and is longer than `most` bytes.
absl::Status OverlongCandidate(absl::string_view start, size_t most);

// `noise`, without a newline in more than `most` bytes.
absl::Status UnendedLine(absl::string_view noise, size_t most);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_HANDSHAKE_LINE_ERROR_H_

#ifndef GOPLUGIN_INTERNAL_HANDSHAKE_VERSIONS_H_
#define GOPLUGIN_INTERNAL_HANDSHAKE_VERSIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"

namespace goplugin::internal {

// The highest version in both lists. Their order does not matter, repeats are
// fine, 0 is a version like any other.
// Errors: kAppVersion when nothing is in common or a list is empty; the
// evidence and the hint name both sets.
absl::StatusOr<uint32_t> NegotiateVersion(absl::Span<const uint32_t> ours,
                                          absl::Span<const uint32_t> theirs);

// Reads PLUGIN_PROTOCOL_VERSIONS, for the plugin's side. Entries that are no
// version are left out, as a Go plugin does.
std::vector<uint32_t> ParseVersionList(absl::string_view text);

// A version as the wire writes it: one or more ASCII digits, nothing else;
// nullopt for other text and for what a uint32_t can't hold.
absl::optional<uint32_t> ParseVersion(absl::string_view text);

// True for one or more ASCII digits and nothing else.
bool IsDigits(absl::string_view text);

// "{1, 2}", sorted and without repeats; "{}" for none.
std::string FormatVersionSet(absl::Span<const uint32_t> versions);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_HANDSHAKE_VERSIONS_H_

#ifndef GOPLUGIN_INTERNAL_HANDSHAKE_ADDRESS_H_
#define GOPLUGIN_INTERNAL_HANDSHAKE_ADDRESS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"

namespace goplugin::internal {

// The longest path a unix socket address holds, without its final NUL.
inline constexpr size_t kMaxUnixPathBytes = 107;

// Why `endpoint` can't be connected to, and what would help. Both are
// sentences, or parts of one, for an error's text.
struct AddressProblem {
  std::string what;
  std::string hint;
};

// Judges the text of a Canonical address; nothing is looked up. nullopt: fine.
absl::optional<AddressProblem> CheckAddress(const Endpoint& endpoint);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_HANDSHAKE_ADDRESS_H_

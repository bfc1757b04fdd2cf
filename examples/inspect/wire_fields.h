#ifndef EXAMPLES_INSPECT_WIRE_FIELDS_H_
#define EXAMPLES_INSPECT_WIRE_FIELDS_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace inspect {

// One field of a message as it is on the wire.
struct WireField {
  enum class Kind { kVarint, kFixed32, kFixed64, kBytes, kGroup };

  int number = 0;
  Kind kind = Kind::kVarint;
  // Of the first three kinds.
  std::uint64_t value = 0;
  // Of the others; a group's without the tag at its end. Part of the message.
  absl::string_view bytes = {};
};

using WireFields = absl::Span<const WireField>;

// Appends the fields of a message, one level of them; false for what is no
// message.
bool ReadFields(absl::string_view message, std::vector<WireField>* fields);

// Calls `visit` with each number of a packed field; false when the last one is
// cut short.
bool ReadPacked(absl::string_view packed, WireField::Kind kind,
                absl::FunctionRef<void(const WireField&)> visit);

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_WIRE_FIELDS_H_

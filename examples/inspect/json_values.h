#ifndef EXAMPLES_INSPECT_JSON_VALUES_H_
#define EXAMPLES_INSPECT_JSON_VALUES_H_

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace inspect {

// `text` in quotes; bytes that are no UTF-8 are escaped as Text() does. No
// control character is left in it.
std::string JsonString(absl::string_view text);
// In base64.
std::string JsonBytes(absl::string_view bytes);
// In quotes, as the mapping has numbers of 64 bits.
std::string JsonNumber64(std::uint64_t value);

// `json` with one member a line; as it is, where that would be much longer.
std::string Indented(absl::string_view json);

// A number, boolean or enumeration of `field`'s type, from the bits that the
// wire has.
std::string JsonScalar(const google::protobuf::FieldDescriptor& field,
                       std::uint64_t bits);

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_JSON_VALUES_H_

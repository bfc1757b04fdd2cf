#ifndef EXAMPLES_INSPECT_MESSAGE_JSON_H_
#define EXAMPLES_INSPECT_MESSAGE_JSON_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace inspect {

// How a message becomes JSON.
struct JsonOptions {
  // The names of the fields as in the .proto file, in place of lowerCamelCase.
  bool proto_names = false;
  // A field of strings that are JSON themselves; may be null.
  const google::protobuf::FieldDescriptor* raw = nullptr;
  // How long it may be, in bytes.
  std::size_t most = std::size_t{128} << 20;
};

// `bytes`, a message of `type`, by protobuf's JSON mapping. Only what is on the
// wire is shown: of a oneof, as protobuf has it, what the last one has not
// cleared. Control characters are escaped.
//
// Whatever a plugin may send is shown. What has no description, or does not fit
// it, is there as bytes, in base64:
//   "@7": {"bytes": "aGk="}         an unknown field: "varint", "fixed32",
//                                   "fixed64", "bytes" or "group"
//   {"@type": "shop.Good", "@bytes": "CgNw"}
//                                   a message that is damaged, or nested too
//                                   deep
//   {"@type": "type.googleapis.com/shop.Good", "value": "CgNw"}
//                                   an Any whose type is not described
// A map that JSON's objects can't hold (an entry has other fields than key and
// value, or two keys read the same) is such a field as a whole. A message with
// a JSON of its own, as google.protobuf.Timestamp, is one like any other where
// that would leave something out.
//
// At most 250 levels of JSON, with the report's: many readers take no more. It
// takes time in proportion to the levels and the size, and memory for some 30
// times the size of `bytes`.
//
// Errors: kInvalidArgument for what is no message at all; kResourceExhausted
// for more JSON than `options.most`, and for bytes of 2 GiB.
absl::StatusOr<std::string> MessageAsJson(
    absl::string_view bytes, const google::protobuf::Descriptor& type,
    google::protobuf::DynamicMessageFactory& messages,
    const JsonOptions& options = {});

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_MESSAGE_JSON_H_

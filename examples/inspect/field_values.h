#ifndef EXAMPLES_INSPECT_FIELD_VALUES_H_
#define EXAMPLES_INSPECT_FIELD_VALUES_H_

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "examples/inspect/json_text.h"
#include "examples/inspect/wire_fields.h"

namespace inspect {

// What a field's values are on the wire, unless they are packed.
WireField::Kind KindOf(const google::protobuf::FieldDescriptor& field);

// Whether all that the wire has under a field's number are values of it.
bool ValuesFit(const google::protobuf::FieldDescriptor& field,
               WireFields values);
// Calls `visit` with each value, unpacked, of those that fit.
void ForEachValue(const google::protobuf::FieldDescriptor& field,
                  WireFields values,
                  absl::FunctionRef<void(const WireField&)> visit);

// Drops, of each oneof, what is cleared by another of its fields that comes
// later: `fields` are in the order of the wire.
void DropCleared(const google::protobuf::Descriptor& type,
                 std::vector<WireField>* fields);

// Takes the values of the lowest number from fields that are in order.
WireFields TakeNumber(WireFields* fields);

// Parts of a message that came one by one, as one.
std::string Joined(WireFields values);

// The values of a field without description: an object, or several.
void AppendUnknown(WireFields values, JsonText& text);

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_FIELD_VALUES_H_

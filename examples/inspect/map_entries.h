#ifndef EXAMPLES_INSPECT_MAP_ENTRIES_H_
#define EXAMPLES_INSPECT_MAP_ENTRIES_H_

#include <google/protobuf/descriptor.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "examples/inspect/wire_fields.h"

namespace inspect {

struct MapEntry {
  // As it is on the wire; "" of a key that is no string.
  absl::string_view key;
  // The entry, which is a message.
  absl::string_view bytes;
};

// By their keys in JSON. Of a key that came twice the last one.
using MapEntries = std::map<std::string, MapEntry>;

// The entries of a map; nullopt when the JSON of a map can't hold all that they
// have: one is damaged or has other fields than key and value, or two keys
// that are different read the same.
absl::optional<MapEntries> ReadMap(
    const google::protobuf::FieldDescriptor& field, WireFields entries);

// The value of an entry that was read: none, or as many pieces as came.
std::vector<WireField> MapValues(const MapEntry& entry);

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_MAP_ENTRIES_H_

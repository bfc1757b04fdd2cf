#include "examples/inspect/map_entries.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/optional.h"
#include "examples/inspect/field_values.h"
#include "examples/inspect/json_values.h"
#include "examples/inspect/wire_fields.h"

namespace inspect {
namespace {

using google::protobuf::FieldDescriptor;

constexpr int kKey = 1;
constexpr int kValue = 2;

std::string JsonKey(const FieldDescriptor& field, const WireField& key) {
  if (field.type() == FieldDescriptor::TYPE_STRING) {
    return JsonString(key.bytes);
  }
  const std::string json = JsonScalar(field, key.value);
  return json.front() == '"' ? json : JsonString(json);
}

}  // namespace

absl::optional<MapEntries> ReadMap(const FieldDescriptor& field,
                                   WireFields entries) {
  const FieldDescriptor& key_field = *field.message_type()->map_key();
  const WireField::Kind key_kind = KindOf(key_field);
  const WireField::Kind value_kind = KindOf(*field.message_type()->map_value());
  MapEntries all;
  std::vector<WireField> parts;
  for (const WireField& entry : entries) {
    parts.clear();
    if (entry.kind != WireField::Kind::kBytes ||
        !ReadFields(entry.bytes, &parts)) {
      return absl::nullopt;
    }
    WireField key;
    for (const WireField& part : parts) {
      const bool fits = (part.number == kKey && part.kind == key_kind) ||
                        (part.number == kValue && part.kind == value_kind);
      if (!fits) return absl::nullopt;
      if (part.number == kKey) key = part;
    }
    const auto added =
        all.insert({JsonKey(key_field, key), {key.bytes, entry.bytes}});
    MapEntry& known = added.first->second;
    if (known.key != key.bytes) return absl::nullopt;
    known.bytes = entry.bytes;
  }
  return all;
}

std::vector<WireField> MapValues(const MapEntry& entry) {
  std::vector<WireField> parts;
  ReadFields(entry.bytes, &parts);
  parts.erase(
      std::remove_if(parts.begin(), parts.end(),
                     [](const WireField& part) { return part.number == kKey; }),
      parts.end());
  return parts;
}

}  // namespace inspect

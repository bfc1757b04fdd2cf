#include "examples/inspect/field_values.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "examples/inspect/json_text.h"
#include "examples/inspect/json_values.h"
#include "examples/inspect/wire_fields.h"

namespace inspect {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::OneofDescriptor;
using Kind = WireField::Kind;

void AppendUnknownValue(const WireField& field, JsonText& text) {
  JsonList object("{}", text);
  switch (field.kind) {
    case Kind::kVarint:
      object.Next("varint");
      return text.Append(JsonNumber64(field.value));
    case Kind::kFixed32:
      object.Next("fixed32");
      return text.Append(absl::StrCat(field.value));
    case Kind::kFixed64:
      object.Next("fixed64");
      return text.Append(JsonNumber64(field.value));
    case Kind::kBytes:
      object.Next("bytes");
      return text.Append(JsonBytes(field.bytes));
    case Kind::kGroup:
      object.Next("group");
      return text.Append(JsonBytes(field.bytes));
  }
}

}  // namespace

WireField::Kind KindOf(const FieldDescriptor& field) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_DOUBLE:
    case FieldDescriptor::TYPE_FIXED64:
    case FieldDescriptor::TYPE_SFIXED64:
      return Kind::kFixed64;
    case FieldDescriptor::TYPE_FLOAT:
    case FieldDescriptor::TYPE_FIXED32:
    case FieldDescriptor::TYPE_SFIXED32:
      return Kind::kFixed32;
    case FieldDescriptor::TYPE_STRING:
    case FieldDescriptor::TYPE_BYTES:
    case FieldDescriptor::TYPE_MESSAGE:
      return Kind::kBytes;
    case FieldDescriptor::TYPE_GROUP:
      return Kind::kGroup;
    default:
      return Kind::kVarint;
  }
}

bool ValuesFit(const FieldDescriptor& field, WireFields values) {
  const Kind kind = KindOf(field);
  return std::all_of(values.begin(), values.end(), [&](const WireField& value) {
    return value.kind == kind ||
           (field.is_packable() && value.kind == Kind::kBytes &&
            ReadPacked(value.bytes, kind, [](const WireField&) {}));
  });
}

void ForEachValue(const FieldDescriptor& field, WireFields values,
                  absl::FunctionRef<void(const WireField&)> visit) {
  const Kind kind = KindOf(field);
  for (const WireField& value : values) {
    if (value.kind == kind) {
      visit(value);
    } else {
      ReadPacked(value.bytes, kind, visit);
    }
  }
}

void DropCleared(const Descriptor& type, std::vector<WireField>* fields) {
  if (type.oneof_decl_count() == 0) return;
  struct Choice {
    int number = 0;
    // Another one came after what is to come.
    bool cleared = false;
  };
  std::map<const OneofDescriptor*, Choice> choices;
  auto kept = fields->rbegin();
  for (auto field = fields->rbegin(); field != fields->rend(); ++field) {
    const FieldDescriptor* found = type.FindFieldByNumber(field->number);
    if (found != nullptr && found->containing_oneof() != nullptr &&
        field->kind == KindOf(*found)) {
      Choice& choice = choices[found->containing_oneof()];
      if (choice.number == 0) choice.number = field->number;
      if (choice.number != field->number) choice.cleared = true;
      if (choice.cleared) continue;
    }
    *kept++ = *field;
  }
  fields->erase(fields->begin(), kept.base());
}

WireFields TakeNumber(WireFields* fields) {
  std::size_t count = 1;
  while (count < fields->size() &&
         (*fields)[count].number == fields->front().number) {
    ++count;
  }
  const WireFields values = fields->subspan(0, count);
  fields->remove_prefix(count);
  return values;
}

std::string Joined(WireFields values) {
  std::string bytes;
  for (const WireField& value : values) {
    bytes.append(value.bytes.data(), value.bytes.size());
  }
  return bytes;
}

void AppendUnknown(WireFields values, JsonText& text) {
  if (values.size() == 1) return AppendUnknownValue(values.front(), text);
  JsonList array("[]", text);
  for (const WireField& value : values) {
    if (text.full()) return;
    array.Next();
    AppendUnknownValue(value, text);
  }
}

}  // namespace inspect

#include "examples/inspect/message_json.h"

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <climits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "examples/inspect/bounded_types.h"
#include "examples/inspect/field_values.h"
#include "examples/inspect/json_text.h"
#include "examples/inspect/json_values.h"
#include "examples/inspect/map_entries.h"
#include "examples/inspect/wire_fields.h"

namespace inspect {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using Kind = WireField::Kind;

constexpr int kMostLevels = 250;
// Of a message itself: its object, an array in it, and in that an object of two
// scalars.
constexpr int kLevelsOfOne = 3;

// The types with a JSON of their own that protobuf has to write.
bool IsWrittenByProtobuf(absl::string_view name) {
  return name == "google.protobuf.Timestamp" ||
         name == "google.protobuf.Duration" ||
         name == "google.protobuf.FieldMask";
}

bool IsWrapper(absl::string_view name) {
  return absl::EndsWith(name, "Value") && name != "google.protobuf.Value" &&
         name != "google.protobuf.ListValue";
}

// What is written is written: whether it fits is seen before, one level at a
// time.
class Translator {
 public:
  Translator(const google::protobuf::DescriptorPool& pool,
             google::protobuf::DynamicMessageFactory& messages,
             const JsonOptions& options)
      : pool_(pool),
        messages_(messages),
        options_(options),
        text_(options.most) {}

  // A message that came in `pieces`, within so many levels of JSON. False, and
  // nothing is written, for what is none, or too deep.
  bool Message(WireFields pieces, const Descriptor& type, int levels) {
    std::vector<WireField> fields;
    if (!Read(pieces, type, levels, &fields)) return false;
    if (!Special(pieces, type, fields, levels)) {
      JsonList object("{}", text_);
      Members(type, fields, levels, object);
    }
    return true;
  }

  JsonText& text() { return text_; }

 private:
  // The fields in the order of their numbers.
  static bool Read(WireFields pieces, const Descriptor& type, int levels,
                   std::vector<WireField>* fields) {
    if (levels + kLevelsOfOne > kMostLevels) return false;
    for (const WireField& piece : pieces) {
      if (!ReadFields(piece.bytes, fields)) return false;
    }
    DropCleared(type, fields);
    std::stable_sort(fields->begin(), fields->end(),
                     [](const WireField& a, const WireField& b) {
                       return a.number < b.number;
                     });
    return true;
  }

  std::string Name(const FieldDescriptor& field) const {
    if (field.is_extension()) return absl::StrCat("[", field.full_name(), "]");
    return std::string(options_.proto_names ? field.name() : field.json_name());
  }

  void Members(const Descriptor& type, WireFields fields, int levels,
               JsonList& object) {
    while (!fields.empty() && !text_.full()) {
      const WireFields values = TakeNumber(&fields);
      const int number = values.front().number;
      const FieldDescriptor* field =
          type.IsExtensionNumber(number)
              ? pool_.FindExtensionByNumber(&type, number)
              : type.FindFieldByNumber(number);
      if (field != nullptr && Fit(*field, values)) {
        object.Next(Name(*field));
        Value(*field, values, levels + 1);
      } else {
        object.Next(absl::StrCat("@", number));
        AppendUnknown(values, text_);
      }
    }
  }

  static bool Fit(const FieldDescriptor& field, WireFields values) {
    return field.is_map() ? ReadMap(field, values).has_value()
                          : ValuesFit(field, values);
  }

  // Of values that fit.
  void Value(const FieldDescriptor& field, WireFields values, int levels) {
    if (field.is_map()) return Map(field, values, levels);
    if (!field.is_repeated()) return Singular(field, values, levels);
    JsonList array("[]", text_);
    ForEachValue(field, values, [&](const WireField& value) {
      if (text_.full()) return;
      array.Next();
      Singular(field, WireFields(&value, 1), levels + 1);
    });
  }

  // One value; of none the default.
  void Singular(const FieldDescriptor& field, WireFields values, int levels) {
    const WireField last = values.empty() ? WireField() : values.back();
    switch (field.type()) {
      case FieldDescriptor::TYPE_STRING:
        if (&field == options_.raw) return text_.Append(last.bytes);
        return text_.Append(JsonString(last.bytes));
      case FieldDescriptor::TYPE_BYTES:
        return text_.Append(JsonBytes(last.bytes));
      case FieldDescriptor::TYPE_MESSAGE:
      case FieldDescriptor::TYPE_GROUP:
        if (!Message(values, *field.message_type(), levels)) {
          JsonList object("{}", text_);
          object.Next("@type");
          text_.Append(JsonString(field.message_type()->full_name()));
          object.Next("@bytes");
          text_.Append(JsonBytes(Joined(values)));
        }
        return;
      default:
        return text_.Append(JsonScalar(field, last.value));
    }
  }

  void Map(const FieldDescriptor& field, WireFields values, int levels) {
    const absl::optional<MapEntries> entries = ReadMap(field, values);
    JsonList object("{}", text_);
    for (const auto& [key, entry] : *entries) {
      if (text_.full()) return;
      object.Next();
      text_.Append(key);
      text_.Append(":");
      Singular(*field.message_type()->map_value(), MapValues(entry),
               levels + 1);
    }
  }

  // The types with a JSON of their own. False, and nothing is written, for
  // other types, and where their JSON would lose something.
  bool Special(WireFields pieces, const Descriptor& type, WireFields fields,
               int levels) {
    const absl::string_view name = type.full_name();
    if (!absl::StartsWith(name, "google.protobuf.") || !AllFit(type, fields)) {
      return false;
    }
    if (name == "google.protobuf.Any") return Any(fields, type, levels);
    if (IsWrittenByProtobuf(name)) return ByProtobuf(pieces, type);
    if (name == "google.protobuf.Value") return Dynamic(type, fields, levels);
    if (type.field_count() != 1) return false;
    // The description may be any that has the name: each of these adds a level,
    // or ends here.
    const FieldDescriptor& only = *type.field(0);
    const bool same = (name == "google.protobuf.Struct" && only.is_map()) ||
                      (name == "google.protobuf.ListValue" &&
                       only.is_repeated() && !only.is_map()) ||
                      (IsWrapper(name) && !only.is_repeated() &&
                       only.message_type() == nullptr);
    if (same) Value(only, fields, levels);
    return same;
  }

  static bool AllFit(const Descriptor& type, WireFields fields) {
    while (!fields.empty()) {
      const WireFields values = TakeNumber(&fields);
      const auto* field = type.FindFieldByNumber(values.front().number);
      if (field == nullptr || !Fit(*field, values)) return false;
    }
    return true;
  }

  // google.protobuf.Value.
  bool Dynamic(const Descriptor& type, WireFields fields, int levels) {
    if (fields.empty()) {
      text_.Append("null");
      return true;
    }
    const WireFields values = TakeNumber(&fields);
    const auto& field = *type.FindFieldByNumber(values.front().number);
    if (!fields.empty() || field.is_repeated()) return false;
    if (field.message_type() != nullptr) {
      const absl::string_view inner = field.message_type()->full_name();
      // Others may add no level, and go on for ever.
      if (inner != "google.protobuf.Struct" &&
          inner != "google.protobuf.ListValue") {
        return false;
      }
    }
    Singular(field, values, levels);
    return true;
  }

  bool Any(WireFields fields, const Descriptor& any, int levels) {
    WireField url;
    WireField value;
    for (const WireField& field : fields) {
      if (field.number > 2 || field.kind != Kind::kBytes) return false;
      (field.number == 1 ? url : value) = field;
    }
    JsonList object("{}", text_);
    if (fields.empty()) return true;
    object.Next("@type");
    text_.Append(JsonString(url.bytes));
    const Descriptor* type = FindType(url.bytes);
    const WireFields pieces(&value, 1);
    std::vector<WireField> inner;
    if (type == nullptr || !Read(pieces, *type, levels + 1, &inner)) {
      object.Next("value");
      text_.Append(JsonBytes(value.bytes));
    } else if (type->file()->package() == any.file()->package()) {
      object.Next("value");
      Message(pieces, *type, levels + 1);
    } else {
      Members(*type, inner, levels, object);
    }
    return true;
  }

  const Descriptor* FindType(absl::string_view url) const {
    const absl::string_view name = url.substr(url.rfind('/') + 1);
    return IsShortName(name) ? pool_.FindMessageTypeByName(std::string(name))
                             : nullptr;
  }

  bool ByProtobuf(WireFields pieces, const Descriptor& type) {
    for (int i = 0; i < type.field_count(); ++i) {
      if (type.field(i)->message_type() != nullptr) return false;
    }
    const std::unique_ptr<google::protobuf::Message> message(
        messages_.GetPrototype(&type)->New());
    std::string json;
    if (!message->ParseFromString(Joined(pieces)) ||
        !google::protobuf::util::MessageToJsonString(*message, &json).ok()) {
      return false;
    }
    text_.Append(json);
    return true;
  }

  const google::protobuf::DescriptorPool& pool_;
  google::protobuf::DynamicMessageFactory& messages_;
  const JsonOptions options_;
  JsonText text_;
};

}  // namespace

absl::StatusOr<std::string> MessageAsJson(
    absl::string_view bytes, const Descriptor& type,
    google::protobuf::DynamicMessageFactory& messages,
    const JsonOptions& options) {
  const absl::Status too_large =
      absl::ResourceExhaustedError("more JSON than is wanted");
  // What protobuf can count.
  if (bytes.size() > INT_MAX) return too_large;
  Translator translator(*type.file()->pool(), messages, options);
  WireField whole;
  whole.kind = Kind::kBytes;
  whole.bytes = bytes;
  // Two levels are the report's.
  if (!translator.Message(WireFields(&whole, 1), type, /*levels=*/2)) {
    return absl::InvalidArgumentError("no such message");
  }
  if (translator.text().full()) return too_large;
  return translator.text().Take();
}

}  // namespace inspect

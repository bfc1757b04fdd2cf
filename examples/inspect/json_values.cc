#include "examples/inspect/json_values.h"

#include <google/protobuf/descriptor.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "examples/inspect/error.h"

namespace inspect {
namespace {

using google::protobuf::FieldDescriptor;

// Of JSON that is indented: lines may be 250 levels deep.
constexpr std::size_t kMostGrowth = 8;

std::int64_t ZigZag(std::uint64_t bits) {
  return static_cast<std::int64_t>(bits >> 1) ^
         -static_cast<std::int64_t>(bits & 1);
}

template <typename Float, typename Bits>
std::string JsonFloat(Bits bits) {
  Float value;
  static_assert(sizeof(value) == sizeof(bits));
  std::memcpy(&value, &bits, sizeof(value));
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  std::array<char, 64> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return std::string(digits.data(), end);
}

std::string JsonEnum(const FieldDescriptor& field, std::uint64_t bits) {
  const auto number = static_cast<std::int32_t>(bits);
  const google::protobuf::EnumDescriptor& type = *field.enum_type();
  if (type.full_name() == "google.protobuf.NullValue") return "null";
  const auto* value = type.FindValueByNumber(number);
  return value == nullptr ? absl::StrCat(number)
                          : JsonString(std::string(value->name()));
}

}  // namespace

std::string JsonString(absl::string_view bytes) {
  const std::string text = Text(bytes);
  std::string json = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t control = ControlSize(absl::string_view(text).substr(i));
    if (control > 0) {
      // The last byte is the character's number, in the second set as well.
      i += control - 1;
      absl::StrAppendFormat(&json, "\\u%04x",
                            static_cast<unsigned char>(text[i]));
    } else if (text[i] == '"' || text[i] == '\\') {
      json += {'\\', text[i]};
    } else {
      json += text[i];
    }
  }
  json += '"';
  return json;
}

std::string JsonBytes(absl::string_view bytes) {
  return absl::StrCat("\"", absl::Base64Escape(bytes), "\"");
}

std::string JsonNumber64(std::uint64_t value) {
  return absl::StrCat("\"", value, "\"");
}

std::string JsonScalar(const FieldDescriptor& field, std::uint64_t bits) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_DOUBLE:
      return JsonFloat<double>(bits);
    case FieldDescriptor::TYPE_FLOAT:
      return JsonFloat<float>(static_cast<std::uint32_t>(bits));
    case FieldDescriptor::TYPE_INT64:
    case FieldDescriptor::TYPE_SFIXED64:
      return absl::StrCat("\"", static_cast<std::int64_t>(bits), "\"");
    case FieldDescriptor::TYPE_SINT64:
      return absl::StrCat("\"", ZigZag(bits), "\"");
    case FieldDescriptor::TYPE_UINT64:
    case FieldDescriptor::TYPE_FIXED64:
      return JsonNumber64(bits);
    case FieldDescriptor::TYPE_INT32:
    case FieldDescriptor::TYPE_SFIXED32:
      return absl::StrCat(static_cast<std::int32_t>(bits));
    case FieldDescriptor::TYPE_SINT32:
      return absl::StrCat(ZigZag(static_cast<std::uint32_t>(bits)));
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_FIXED32:
      return absl::StrCat(static_cast<std::uint32_t>(bits));
    case FieldDescriptor::TYPE_BOOL:
      return bits == 0 ? "false" : "true";
    case FieldDescriptor::TYPE_ENUM:
      return JsonEnum(field, bits);
    default:
      return "null";
  }
}

std::string Indented(absl::string_view json) {
  const std::size_t most = kMostGrowth * json.size();
  std::string text;
  std::string line_break = "\n";
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (text.size() > most) return std::string(json);
    const char c = json[i];
    if (in_string) {
      text += c;
      if (c == '\\') text += json[++i];
      in_string = c != '"';
      continue;
    }
    const bool closes = c == '}' || c == ']';
    if (closes) line_break.pop_back();
    if (closes && text.back() != '{' && text.back() != '[') text += line_break;
    text += c;
    if (c == '{' || c == '[') {
      line_break += ' ';
      const bool empty = json[i + 1] == '}' || json[i + 1] == ']';
      if (!empty) text += line_break;
    }
    if (c == ',') text += line_break;
    if (c == ':') text += ' ';
    in_string = c == '"';
  }
  return text;
}

}  // namespace inspect

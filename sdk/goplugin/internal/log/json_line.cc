#include "goplugin/internal/log/json_line.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/internal/log/json_repair.h"
#include "simdjson.h"

namespace goplugin::internal {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

// The parser's memory is many times its longest text: what a longer line made
// it grow to is given back.
constexpr size_t kMaxKeptText = size_t{8} * 1024;

std::string TextOf(const element& value) {
  bool flag = false;
  int64_t number = 0;
  uint64_t large = 0;
  std::string_view text;
  if (!value.get(text)) return std::string(text);
  if (!value.get(number)) return absl::StrCat(number);
  if (!value.get(large)) return absl::StrCat(large);
  if (!value.get(flag)) return flag ? "true" : "false";
  if (value.type() == element_type::NULL_VALUE) return "null";
  return simdjson::minify(value);
}

// True for the member in which Rust's tracing keeps the message.
bool HoldsMessage(std::string_view key, const element& value, object* inner) {
  element message;
  return key == "fields" && !value.get(*inner) &&
         !inner->at_key("message").get(message);
}

bool AddMembers(const object& members, bool outermost,
                std::vector<Field>* fields) {
  for (const auto member : members) {
    object inner;
    if (outermost && HoldsMessage(member.key, member.value, &inner)) {
      if (!AddMembers(inner, false, fields)) return false;
      continue;
    }
    if (fields->size() == kMaxFields) return false;
    fields->emplace_back(std::string(member.key), TextOf(member.value));
  }
  return true;
}

}  // namespace

struct JsonLine::Parser {
  simdjson::dom::parser json;
  // The text, and behind it the room that simdjson may read over.
  std::string padded;

  bool Parse(absl::string_view text, object* out) {
    padded.resize(text.size() + simdjson::SIMDJSON_PADDING);
    std::memcpy(&padded[0], text.data(), text.size());
    return !json.parse(padded.data(), text.size(), false).get(*out);
  }
};

JsonLine::JsonLine() = default;
JsonLine::~JsonLine() = default;

bool JsonLine::Read(absl::string_view text, std::vector<Field>* fields) {
  if (parser_ == nullptr) parser_ = std::make_unique<Parser>();
  object members;
  const bool parsed = parser_->Parse(text, &members) ||
                      parser_->Parse(RepairJson(text), &members);
  const bool ok = parsed && AddMembers(members, true, fields);
  if (text.size() > kMaxKeptText) parser_ = nullptr;
  return ok;
}

}  // namespace goplugin::internal

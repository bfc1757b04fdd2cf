#include "goplugin/internal/log/json_repair.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace goplugin::internal {
namespace {

constexpr size_t kEscapeLength = 6;  // \u1234

// A word outside strings: a number, true, NaN.
bool IsWordCharacter(unsigned char c) {
  return absl::ascii_isalnum(c) || c == '-' || c == '+' || c == '.';
}

// The code unit of an escape "\u1234" at the front of `text`, -1 without one.
int32_t CodeUnit(absl::string_view text) {
  int32_t unit = 0;
  if (text.size() < kEscapeLength || text[0] != '\\' || text[1] != 'u') {
    return -1;
  }
  for (const unsigned char c : text.substr(2, 4)) {
    if (!absl::ascii_isxdigit(c)) return -1;
    const int digit =
        absl::ascii_isdigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10;
    unit = unit * 16 + digit;
  }
  return unit;
}

bool IsHighSurrogate(int32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool IsLowSurrogate(int32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

// Copies the escape at the front of `text`; returns its length there.
size_t CopyEscape(absl::string_view text, std::string* out) {
  const int32_t unit = CodeUnit(text);
  size_t length = unit < 0 ? 2 : kEscapeLength;
  if (IsHighSurrogate(unit) &&
      IsLowSurrogate(CodeUnit(text.substr(kEscapeLength)))) {
    length = 2 * kEscapeLength;
  } else if (IsHighSurrogate(unit) || IsLowSurrogate(unit)) {
    out->append("\\ufffd");
    return length;
  }
  absl::StrAppend(out, text.substr(0, length));
  return length < text.size() ? length : text.size();
}

// Copies the string literal at the front of `text`; returns its length there.
size_t CopyString(absl::string_view text, std::string* out) {
  out->push_back('"');
  size_t at = 1;
  while (at < text.size()) {
    const unsigned char c = static_cast<unsigned char>(text[at]);
    if (c == '\\') {
      at += CopyEscape(text.substr(at), out);
    } else if (c < 0x20) {
      absl::StrAppend(out, "\\u", absl::Hex(c, absl::kZeroPad4));
      ++at;
    } else {
      out->push_back(static_cast<char>(c));
      ++at;
      if (c == '"') break;
    }
  }
  return at;
}

// Roughly; what is none in the end was no JSON before either.
bool IsNumber(absl::string_view word) {
  return word == "NaN" || word == "Infinity" || word == "-Infinity" ||
         word.find_first_not_of("0123456789+-.eE") == absl::string_view::npos;
}

size_t CopyWord(absl::string_view text, std::string* out) {
  size_t length = 0;
  while (length < text.size() && IsWordCharacter(text[length])) ++length;
  const absl::string_view word = text.substr(0, length);
  if (IsNumber(word)) {
    absl::StrAppend(out, "\"", word, "\"");
  } else {
    absl::StrAppend(out, word);
  }
  return length;
}

}  // namespace

std::string RepairJson(absl::string_view json) {
  std::string out;
  out.reserve(json.size() + 64);
  size_t at = 0;
  while (at < json.size()) {
    const absl::string_view rest = json.substr(at);
    if (rest[0] == '"') {
      at += CopyString(rest, &out);
    } else if (IsWordCharacter(rest[0])) {
      at += CopyWord(rest, &out);
    } else {
      out.push_back(rest[0]);
      ++at;
    }
  }
  return out;
}

}  // namespace goplugin::internal

#include "goplugin/internal/text/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "simdjson.h"

namespace goplugin::internal {
namespace {

// What may follow a first byte.
struct Sequence {
  size_t length = 0;  // with the first byte; 0: no character starts so
  unsigned char low = 0x80, high = 0xBF;  // bounds of the second byte
};

Sequence SequenceOf(unsigned char first) {
  if (first < 0x80) return {1};
  if (first < 0xC2) return {};  // a continuation, or an overlong form
  if (first < 0xE0) return {2};
  if (first == 0xE0) return {3, 0xA0, 0xBF};  // not overlong
  if (first == 0xED) return {3, 0x80, 0x9F};  // no surrogates
  if (first < 0xF0) return {3};
  if (first == 0xF0) return {4, 0x90, 0xBF};  // not overlong
  if (first < 0xF4) return {4};
  if (first == 0xF4) return {4, 0x80, 0x8F};  // not above U+10FFFF
  return {};
}

struct Step {
  size_t bytes;
  bool valid;
};

// The character at the front of `text`, or as much of it as there is.
Step NextCharacter(absl::string_view text) {
  const Sequence sequence = SequenceOf(static_cast<unsigned char>(text[0]));
  if (sequence.length == 0) return {1, false};
  for (size_t i = 1; i < sequence.length; ++i) {
    const unsigned char low = i == 1 ? sequence.low : 0x80;
    const unsigned char high = i == 1 ? sequence.high : 0xBF;
    if (i >= text.size()) return {i, false};
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c < low || c > high) return {i, false};
  }
  return {sequence.length, true};
}

bool IsAscii(absl::string_view text) {
  std::uint64_t seen = 0;
  while (text.size() >= sizeof seen) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data(), sizeof bytes);
    seen |= bytes;
    text.remove_prefix(sizeof bytes);
  }
  for (const char c : text) seen |= static_cast<unsigned char>(c);
  return (seen & 0x8080808080808080u) == 0;
}

}  // namespace

bool IsValidUtf8(absl::string_view text) {
  // Nearly every line is ASCII, and too short for the call to pay.
  if (IsAscii(text)) return true;
  return simdjson::validate_utf8(text.data(), text.size());
}

std::string ReplaceInvalidUtf8(absl::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  while (!text.empty()) {
    const Step step = NextCharacter(text);
    if (step.valid) {
      out.append(text.begin(), text.begin() + step.bytes);
    } else {
      out.append("\xEF\xBF\xBD");
    }
    text.remove_prefix(step.bytes);
  }
  return out;
}

std::string EscapeInvalidUtf8(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Step step = NextCharacter(text);
    if (step.valid && text.front() != '\0') {
      out.append(text.begin(), text.begin() + step.bytes);
    } else {
      for (const unsigned char byte : text.substr(0, step.bytes)) {
        absl::StrAppend(&out, "\\x", absl::Hex(byte, absl::kZeroPad2));
      }
    }
    text.remove_prefix(step.bytes);
  }
  return out;
}

}  // namespace goplugin::internal

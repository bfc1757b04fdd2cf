#include "goplugin/internal/text/hex.h"

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace goplugin::internal {
namespace {

int ValueOf(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return 0;
}

}  // namespace

std::string DecodeHex(absl::string_view digits) {
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes +=
        static_cast<char>(ValueOf(digits[i]) << 4 | ValueOf(digits[i + 1]));
  }
  return bytes;
}

}  // namespace goplugin::internal

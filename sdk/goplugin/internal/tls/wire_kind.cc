#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/tls/probe.h"

namespace goplugin::internal {
namespace {

constexpr size_t kKeptBytes = 64;

uint8_t At(absl::string_view bytes, size_t index) {
  return static_cast<uint8_t>(bytes[index]);
}

// Content type (change cipher spec, alert, handshake, data), then 3.0 to 3.4.
bool IsTls(absl::string_view bytes) {
  return bytes.size() >= 3 && At(bytes, 0) >= 0x14 && At(bytes, 0) <= 0x17 &&
         At(bytes, 1) == 3 && At(bytes, 2) <= 4;
}

// A frame header of nine bytes: length (3), type, flags, stream (4). A server
// starts with SETTINGS, or gives up at once with GOAWAY; both on stream 0.
bool IsHttp2(absl::string_view bytes) {
  constexpr size_t kHeader = 9;
  constexpr uint8_t kSettings = 4;
  constexpr uint8_t kGoAway = 7;
  constexpr uint32_t kMaxFrame = 16384;
  if (bytes.size() < kHeader) return false;
  const uint32_t length = (uint32_t{At(bytes, 0)} << 16) |
                          (uint32_t{At(bytes, 1)} << 8) | At(bytes, 2);
  for (size_t i = 5; i < kHeader; ++i) {
    if (At(bytes, i) != 0) return false;
  }
  const bool settings =
      At(bytes, 3) == kSettings && At(bytes, 4) <= 1 && length % 6 == 0;
  const bool go_away = At(bytes, 3) == kGoAway && length >= 8;
  return length <= kMaxFrame && (settings || go_away);
}

WireKind::Kind KindOf(absl::string_view bytes) {
  if (bytes.empty()) return WireKind::Kind::kClosed;
  if (IsTls(bytes)) return WireKind::Kind::kTls;
  if (IsHttp2(bytes)) return WireKind::Kind::kHttp2;
  if (absl::StartsWith(bytes, "HTTP/1.")) return WireKind::Kind::kHttp1;
  return WireKind::Kind::kUnknown;
}

}  // namespace

WireKind ClassifyFirstBytes(absl::string_view bytes) {
  const absl::string_view kept = bytes.substr(0, kKeptBytes);
  WireKind result;
  result.kind = KindOf(bytes);
  result.first_bytes.assign(kept.data(), kept.size());
  return result;
}

std::string WireKind::ToString() const {
  switch (kind) {
    case Kind::kTls:
      return "TLS";
    case Kind::kHttp2:
      return "HTTP/2 without TLS";
    case Kind::kHttp1:
      return "HTTP/1 without TLS";
    case Kind::kSilent:
      return "nothing";
    case Kind::kClosed:
      return "the end of the connection, without a byte";
    case Kind::kUnknown:
      break;
  }
  return absl::StrCat("bytes of no known protocol: ", Quote(first_bytes));
}

}  // namespace goplugin::internal

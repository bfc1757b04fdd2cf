#include "tests/unit/mux/frames.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace goplugin::internal {
namespace {

// A payload that is longer is given by its size.
constexpr size_t kShown = 32;

std::string Flags(const FrameHeader& header) {
  std::string text;
  if ((header.flags & kSyn) != 0) text += " SYN";
  if ((header.flags & kAck) != 0) text += " ACK";
  if ((header.flags & kFin) != 0) text += " FIN";
  if ((header.flags & kRst) != 0) text += " RST";
  return text;
}

std::string Payload(absl::string_view bytes) {
  return bytes.size() <= kShown ? std::string(bytes)
                                : absl::StrCat("(", bytes.size(), " bytes)");
}

// Without the payload.
std::string Describe(const FrameHeader& header) {
  const std::string middle = absl::StrCat(Flags(header), " ", header.stream);
  if (header.version != kYamuxVersion) return "unknown version";
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::kData:
      return absl::StrCat("data", middle, " ");
    case FrameType::kWindowUpdate:
      return absl::StrCat("update", middle, " +", header.length);
    case FrameType::kPing:
      return absl::StrCat("ping", middle, " =", header.length);
    case FrameType::kGoAway:
      return absl::StrCat("go-away", middle, " =", header.length);
  }
  return "unknown type";
}

}  // namespace

std::string FrameBytes(FrameType type, unsigned flags, std::uint32_t stream,
                       std::uint32_t length) {
  FrameHeader header;
  header.type = static_cast<std::uint8_t>(type);
  header.flags = static_cast<std::uint16_t>(flags);
  header.stream = stream;
  header.length = length;
  std::string bytes(kFrameHeaderSize, '\0');
  EncodeFrameHeader(header, &bytes[0]);
  return bytes;
}

std::string DataBytes(std::uint32_t stream, absl::string_view payload,
                      unsigned flags) {
  return absl::StrCat(FrameBytes(FrameType::kData, flags, stream,
                                 static_cast<std::uint32_t>(payload.size())),
                      payload);
}

std::vector<std::string> DescribeFrames(absl::string_view bytes) {
  std::vector<std::string> frames;
  while (!bytes.empty()) {
    if (bytes.size() < kFrameHeaderSize) {
      frames.emplace_back("cut");
      break;
    }
    const FrameHeader header = DecodeFrameHeader(bytes.data());
    bytes.remove_prefix(kFrameHeaderSize);
    frames.push_back(Describe(header));
    if (static_cast<FrameType>(header.type) != FrameType::kData) continue;
    if (bytes.size() < header.length) {
      frames.back() += "cut";
      break;
    }
    frames.back() += Payload(bytes.substr(0, header.length));
    bytes.remove_prefix(header.length);
  }
  return frames;
}

}  // namespace goplugin::internal

#include "goplugin/internal/mux/frame.h"

namespace goplugin::internal {
namespace {

// Where the fields are. Numbers are big endian.
constexpr size_t kVersion = 0;
constexpr size_t kType = 1;
constexpr size_t kFlags = 2;
constexpr size_t kStream = 4;
constexpr size_t kLength = 8;

template <typename Number>
Number Decode(const char* bytes) {
  Number number = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) {
    number = static_cast<Number>(number << 8U |
                                 static_cast<unsigned char>(bytes[i]));
  }
  return number;
}

template <typename Number>
void Encode(Number number, char* bytes) {
  for (size_t i = sizeof(Number); i-- > 0;) {
    bytes[i] = static_cast<char>(number & 0xFFU);
    number = static_cast<Number>(number >> 8U);
  }
}

}  // namespace

FrameHeader DecodeFrameHeader(const char* bytes) {
  FrameHeader header;
  header.version = static_cast<std::uint8_t>(bytes[kVersion]);
  header.type = static_cast<std::uint8_t>(bytes[kType]);
  header.flags = Decode<std::uint16_t>(bytes + kFlags);
  header.stream = Decode<std::uint32_t>(bytes + kStream);
  header.length = Decode<std::uint32_t>(bytes + kLength);
  return header;
}

void EncodeFrameHeader(const FrameHeader& header, char* bytes) {
  bytes[kVersion] = static_cast<char>(header.version);
  bytes[kType] = static_cast<char>(header.type);
  Encode(header.flags, bytes + kFlags);
  Encode(header.stream, bytes + kStream);
  Encode(header.length, bytes + kLength);
}

}  // namespace goplugin::internal

#ifndef GOPLUGIN_INTERNAL_MUX_FRAME_H_
#define GOPLUGIN_INTERNAL_MUX_FRAME_H_

#include <cstddef>
#include <cstdint>

namespace goplugin::internal {

// What yamux sends: a header, and after a kData header its `length` bytes.
constexpr size_t kFrameHeaderSize = 12;
constexpr std::uint8_t kYamuxVersion = 0;

enum class FrameType : std::uint8_t {
  kData = 0,
  kWindowUpdate = 1,
  kPing = 2,
  kGoAway = 3,
};

// The bits of FrameHeader::flags. Others have no meaning, and are ignored.
enum FrameFlag : std::uint16_t {
  kSyn = 1,  // the first of a stream; in a ping: the question
  kAck = 2,  // the stream is accepted; in a ping: the answer
  kFin = 4,  // no more data in this direction
  kRst = 8,  // the stream is gone, in both directions
};

enum class GoAwayCode : std::uint32_t {
  kNormal = 0,
  kProtocolError = 1,
  kInternalError = 2,
};

// As it came: version and type may be anything.
struct FrameHeader {
  std::uint8_t version = kYamuxVersion;
  std::uint8_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t stream = 0;
  // Bytes of data, more window, a ping's value or a GoAwayCode.
  std::uint32_t length = 0;
};

// Both want kFrameHeaderSize bytes at the pointer.
FrameHeader DecodeFrameHeader(const char* bytes);
void EncodeFrameHeader(const FrameHeader& header, char* bytes);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_FRAME_H_

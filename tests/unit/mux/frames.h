#ifndef TESTS_UNIT_MUX_FRAMES_H_
#define TESTS_UNIT_MUX_FRAMES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "goplugin/internal/mux/frame.h"

namespace goplugin::internal {

// One frame as the wire has it.
std::string FrameBytes(FrameType type, unsigned flags, std::uint32_t stream,
                       std::uint32_t length);
// A kData frame with its payload.
std::string DataBytes(std::uint32_t stream, absl::string_view payload,
                      unsigned flags = 0);

inline std::string SynBytes(std::uint32_t stream) {
  return FrameBytes(FrameType::kWindowUpdate, kSyn, stream, 0);
}

// What a session has put out, a text for each frame: "update SYN 1 +0",
// "data FIN 2 hello" ("data 2 (300 bytes)"), "ping ACK 0 =7", "go-away 0 =1".
// What is not whole ends in "cut".
std::vector<std::string> DescribeFrames(absl::string_view bytes);

}  // namespace goplugin::internal

#endif  // TESTS_UNIT_MUX_FRAMES_H_

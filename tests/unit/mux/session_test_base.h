#ifndef TESTS_UNIT_MUX_SESSION_TEST_BASE_H_
#define TESTS_UNIT_MUX_SESSION_TEST_BASE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "tests/unit/mux/frames.h"
#include "tests/unit/mux/recorder.h"

namespace goplugin::internal {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint32_t kWindow = YamuxSession::kWindow;
constexpr std::uint32_t kHalf = kWindow / 2;

// A session with its recorder. The other side is the test, which writes frames
// by hand.
struct Side {
  explicit Side(YamuxRole role) : session(role, events) {
    session.Advance(absl::ZeroDuration());
  }

  // Bytes that it must take.
  void Receive(absl::string_view bytes) {
    const absl::Status status = session.Receive(bytes);
    EXPECT_TRUE(status.ok()) << status;
  }
  void Advance(absl::Duration now) { session.Advance(now); }
  // A stream of its own, without its frame.
  YamuxSession::StreamId Open() {
    const auto stream = session.Open();
    EXPECT_TRUE(stream.ok()) << stream.status();
    TakeFrames(session);
    return stream.value_or(0);
  }
  // A stream of the other side, without event and answer.
  YamuxSession::StreamId Accepted(YamuxSession::StreamId stream) {
    Receive(SynBytes(stream));
    session.Accept(stream);
    TakeFrames(session);
    Take();
    return stream;
  }

  std::vector<std::string> Take() { return events.Take(); }
  std::vector<std::string> Frames() { return TakeFrames(session); }

  Recorder events;
  YamuxSession session;
};

// What the other side does to streams.
inline std::string UpdateBytes(std::uint32_t stream, unsigned flags,
                               std::uint32_t more = 0) {
  return FrameBytes(FrameType::kWindowUpdate, flags, stream, more);
}

}  // namespace goplugin::internal

#endif  // TESTS_UNIT_MUX_SESSION_TEST_BASE_H_

#include "goplugin/internal/mux/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/string_view.h"
#include "tests/unit/mux/frames.h"

namespace goplugin::internal {
namespace {

using ::testing::ElementsAre;

// Each byte another one, so that no two can change places unseen.
constexpr char kBytes[] = "\x00\x01\x80\x0c\xfe\x23\x45\x67\x89\xab\xcd\xef";

TEST(FrameTest, NumbersAreBigEndian) {
  const FrameHeader header = DecodeFrameHeader(kBytes);
  EXPECT_EQ(header.version, 0);
  EXPECT_EQ(header.type, 1);
  EXPECT_EQ(header.flags, 0x800c);
  EXPECT_EQ(header.stream, 0xfe234567u);
  EXPECT_EQ(header.length, 0x89abcdefu);
}

TEST(FrameTest, EncodesWhatItDecodes) {
  const absl::string_view bytes(kBytes, kFrameHeaderSize);
  std::string again(kFrameHeaderSize, 'x');
  EncodeFrameHeader(DecodeFrameHeader(bytes.data()), &again[0]);
  EXPECT_EQ(again, bytes);
}

TEST(FrameTest, KeepsWhatItDoesNotKnow) {
  const std::string bytes = "\x7f\x80" + std::string(10, '\xff');
  const FrameHeader header = DecodeFrameHeader(bytes.data());
  EXPECT_EQ(header.version, 0x7f);
  EXPECT_EQ(header.type, 0x80);
  EXPECT_EQ(header.flags, 0xffff);
  EXPECT_EQ(header.stream, 0xffffffffu);
  EXPECT_EQ(header.length, 0xffffffffu);
  std::string again(kFrameHeaderSize, 'x');
  EncodeFrameHeader(header, &again[0]);
  EXPECT_EQ(again, bytes);
}

// The frames that Go's implementation starts a stream with, byte for byte.
TEST(FrameTest, TheWireOfAStreamsBeginning) {
  EXPECT_EQ(SynBytes(1),
            absl::string_view("\0\1\0\1\0\0\0\1\0\0\0\0", kFrameHeaderSize));
  EXPECT_EQ(DataBytes(3, "hi", kFin),
            absl::string_view("\0\0\0\4\0\0\0\3\0\0\0\2hi", 14));
}

// The other tests read outputs by it.
TEST(FrameTest, DescribeFramesSeesWhatIsCut) {
  const std::string bytes = DataBytes(2, "hello");
  EXPECT_THAT(DescribeFrames(bytes), ElementsAre("data 2 hello"));
  EXPECT_THAT(DescribeFrames(bytes.substr(0, 16)), ElementsAre("data 2 cut"));
  EXPECT_THAT(DescribeFrames(bytes.substr(0, 11)), ElementsAre("cut"));
}

}  // namespace
}  // namespace goplugin::internal

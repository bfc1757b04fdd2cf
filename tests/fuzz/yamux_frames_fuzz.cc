// What the other side of a multiplexed connection sends, and what the owner of
// the streams does meanwhile.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "goplugin/internal/mux/frame.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "tests/fuzz/input.h"
#include "tests/unit/mux/frames.h"
#include "tests/unit/mux/recorder.h"

namespace goplugin::internal {
namespace {

using StreamId = YamuxSession::StreamId;

// Reads what a session puts out, in pieces, and knows how it has to look.
class OutputChecker {
 public:
  explicit OutputChecker(YamuxRole role)
      : first_id_(role == YamuxRole::kClient ? 1 : 2) {}

  void Read(absl::string_view bytes) {
    while (!bytes.empty()) {
      if (payload_ > 0) {
        const size_t size = std::min<size_t>(payload_, bytes.size());
        payload_ -= static_cast<std::uint32_t>(size);
        bytes.remove_prefix(size);
        continue;
      }
      header_.push_back(bytes.front());
      bytes.remove_prefix(1);
      if (header_.size() < kFrameHeaderSize) continue;
      OnFrame(DecodeFrameHeader(header_.data()));
      header_.clear();
    }
  }

  bool at_boundary() const { return header_.empty() && payload_ == 0; }
  // Window given to the other side.
  size_t granted() const { return granted_; }
  bool last_is_go_away() const { return last_ == FrameType::kGoAway; }

 private:
  void OnFrame(const FrameHeader& header) {
    Require(header.version == kYamuxVersion && header.type <= 3);
    last_ = static_cast<FrameType>(header.type);
    if (last_ == FrameType::kGoAway) Require(header.length <= 2);
    if (last_ >= FrameType::kPing) return Require(header.stream == 0);
    if ((header.flags & kSyn) != 0) {
      Require(header.stream % 2 == first_id_ % 2);
      Require(header.stream > newest_);
      newest_ = header.stream;
    }
    if (last_ == FrameType::kWindowUpdate) granted_ += header.length;
    if (last_ != FrameType::kData) return;
    Require(header.flags == 0 && header.length > 0);
    payload_ = header.length;
  }

  const StreamId first_id_;
  StreamId newest_ = 0;
  std::string header_;
  std::uint32_t payload_ = 0;
  size_t granted_ = 0;
  FrameType last_ = FrameType::kData;
};

// The owner, which does what the input says, in the events too.
class Owner final : public YamuxSession::Events {
 public:
  Owner(YamuxRole role, Input& input)
      : input_(input), session_(role, *this), output_(role) {}

  void Step() {
    const std::uint8_t head = input_.Byte();
    if (head < 0x80) {
      Receive(input_.Bytes(head));
    } else if (head < 0xa0) {
      ReceiveFrame(head);
    } else if (head < 0xc0) {
      reactions_ = head - 0xa0;
    } else {
      Act(head);
    }
    Require(session_.stream_count() == streams_.size());
    // Who waits for window has been told of it.
    for (const auto& stream : streams_) {
      Require(!stream.second.blocked || session_.SendWindow(stream.first) == 0);
    }
  }

  void Finish() {
    TakeOutput(session_.output().size());
    Require(output_.at_boundary());
    if (!end_.ok()) Require(output_.last_is_go_away());
    Require(output_.granted() <= consumed_);
    // A frame of 12 bytes has at most one of 12 bytes as its answer.
    Require(out_ <= in_ + sent_ + calls_ * 2 * kFrameHeaderSize);
  }

  void OnOpened(StreamId id) override {
    Require(end_.ok() && streams_.count(id) == 0 && id != 0);
    streams_[id];
    React(id);
  }
  void OnData(StreamId id, absl::string_view bytes) override {
    Stream& stream = Find(id);
    Require(!bytes.empty() && !stream.finished);
    stream.unconsumed += bytes.size();
    Require(stream.unconsumed <= YamuxSession::kWindow);
    React(id);
  }
  void OnWindow(StreamId id) override {
    Stream& stream = Find(id);
    Require(stream.blocked && !stream.closed && session_.SendWindow(id) > 0);
    stream.blocked = false;
    React(id);
  }
  void OnFinished(StreamId id) override {
    Stream& stream = Find(id);
    Require(!stream.finished);
    stream.finished = true;
    if (stream.closed) streams_.erase(id);
    React(id);
  }
  void OnReset(StreamId id) override {
    Find(id);
    streams_.erase(id);
    React(id);
  }

 private:
  struct Stream {
    size_t unconsumed = 0;
    bool finished = false;
    bool closed = false;
    bool blocked = false;
  };

  Stream& Find(StreamId id) {
    Require(end_.ok());
    const auto stream = streams_.find(id);
    Require(stream != streams_.end());
    return stream->second;
  }

  void Ended(const absl::Status& status) {
    if (status.ok()) return Require(end_.ok());
    if (end_.ok()) ++calls_;
    Require(end_.ok() || end_ == status);
    end_ = status;
    streams_.clear();
  }

  void Receive(absl::string_view bytes) {
    in_ += bytes.size();
    Ended(session_.Receive(bytes));
  }

  // A whole frame of few input bytes; data of any size, cut in two.
  void ReceiveFrame(std::uint8_t head) {
    const auto type = static_cast<FrameType>(head % 4);
    const unsigned flags = input_.Byte() % 16;
    const StreamId id = input_.Byte() % 16;
    const std::uint32_t length = std::uint32_t{input_.Byte()}
                                 << (head / 4 % 8 * 3);
    std::string bytes = FrameBytes(type, flags, id, length);
    if (type == FrameType::kData) {
      bytes.append(std::min<size_t>(length, 2 * YamuxSession::kWindow), 'x');
    }
    const absl::string_view view(bytes);
    const size_t cut = (head * bytes.size()) / 0xa0;
    Receive(view.substr(0, cut));
    Receive(view.substr(cut));
  }

  // In an event, as often as the input has asked for it.
  void React(StreamId id) {
    if (reactions_ == 0) return;
    --reactions_;
    ActOn(id, input_.Byte());
  }

  void Act(std::uint8_t head) {
    switch (head % 4) {
      case 0:
        return TakeOutput(input_.Byte() * size_t{50});
      case 1:
        ++calls_;
        now_ += absl::Seconds(input_.Byte());
        return session_.Advance(now_);
      default:
        ActOn(input_.Byte() % 16, head);
    }
  }

  void ActOn(StreamId id, std::uint8_t what) {
    ++calls_;
    const auto stream = streams_.find(id);
    Stream* known = stream == streams_.end() ? nullptr : &stream->second;
    switch (what / 4 % 8) {
      case 0:
        return session_.Accept(id);
      case 1:
        session_.Reset(id);
        streams_.erase(id);
        return;
      case 2:
        if (known == nullptr) return session_.Consumed(id, what);
        session_.Consumed(id, known->unconsumed);
        consumed_ += std::exchange(known->unconsumed, 0);
        return;
      case 3:
        session_.CloseWrite(id);
        if (known == nullptr) return;
        known->closed = true;
        if (known->finished) streams_.erase(id);
        return;
      case 4:
        return Open();
      case 5:
        return session_.GoAway(GoAwayCode::kNormal);
      default:
        return Send(id, what % 2 == 0 ? size_t{what} : size_t{300000});
    }
  }

  void Open() {
    const absl::StatusOr<StreamId> id = session_.Open();
    if (id.ok()) Require(streams_.emplace(*id, Stream()).second);
  }

  void Send(StreamId id, size_t size) {
    const size_t window = session_.SendWindow(id);
    const absl::Span<char> room = session_.BeginData(id, size);
    Require(room.size() == std::min(window, size));
    std::fill(room.begin(), room.end(), 'y');
    session_.EndData(room.size());
    sent_ += room.size();
    const auto stream = streams_.find(id);
    if (stream == streams_.end() || stream->second.closed) return;
    stream->second.blocked = session_.SendWindow(id) == 0;
  }

  void TakeOutput(size_t most) {
    const absl::string_view bytes = session_.output().substr(0, most);
    out_ += bytes.size();
    output_.Read(bytes);
    session_.RemoveOutput(bytes.size());
  }

  Input& input_;
  YamuxSession session_;
  OutputChecker output_;
  std::map<StreamId, Stream> streams_;
  absl::Duration now_ = absl::ZeroDuration();
  absl::Status end_;
  int reactions_ = 0;
  // Bytes received, consumed, sent as data, and put out; calls that may put
  // frames out.
  size_t in_ = 0;
  size_t consumed_ = 0;
  size_t sent_ = 0;
  size_t out_ = 0;
  size_t calls_ = 0;
};

// The outcome does not depend on how the bytes were cut.
void CompareCuts(YamuxRole role, absl::string_view bytes) {
  std::array<Recorder, 2> events;
  YamuxSession whole(role, events[0]);
  YamuxSession cut(role, events[1]);
  const absl::Status status = whole.Receive(bytes);
  for (size_t i = 0; i < bytes.size(); ++i) {
    (void)cut.Receive(bytes.substr(i, 1));
  }
  Require(cut.Receive("") == status);
  Require(events[0].Take() == events[1].Take());
  Require(whole.output() == cut.output());
}

}  // namespace
}  // namespace goplugin::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using goplugin::internal::YamuxRole;
  goplugin::internal::Input input(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  const std::uint8_t head = input.Byte();
  const YamuxRole role =
      head % 2 == 0 ? YamuxRole::kClient : YamuxRole::kServer;
  if (head % 4 >= 2) {
    goplugin::internal::CompareCuts(role, input.Bytes(size));
    return 0;
  }
  goplugin::internal::Owner owner(role, input);
  while (!input.empty()) owner.Step();
  owner.Finish();
  return 0;
}

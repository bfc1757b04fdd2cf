#include "goplugin/internal/mux/yamux_session.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace goplugin::internal {
namespace {

constexpr std::uint32_t kMaxWindow = std::numeric_limits<std::uint32_t>::max();
// As the Go implementation has it.
constexpr std::uint64_t kLastId = kMaxWindow - 2;

bool Has(const FrameHeader& header, FrameFlag flag) {
  return (header.flags & flag) != 0;
}

}  // namespace

// ---- What comes in ----------------------------------------------------------

absl::Status YamuxSession::Receive(absl::string_view bytes) {
  if (!end_.ok()) return end_;
  while (!bytes.empty()) {
    if (payload_left_ > 0) {
      const size_t size = std::min<size_t>(payload_left_, bytes.size());
      OnPayload(bytes.substr(0, size));
      bytes.remove_prefix(size);
      continue;
    }
    const size_t size = std::min(kFrameHeaderSize - header_size_, bytes.size());
    std::memcpy(header_.data() + header_size_, bytes.data(), size);
    header_size_ += size;
    bytes.remove_prefix(size);
    if (header_size_ < kFrameHeaderSize) break;
    header_size_ = 0;
    absl::Status status = OnFrame(DecodeFrameHeader(header_.data()));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status YamuxSession::OnFrame(const FrameHeader& header) {
  if (control_before_mark_ + control_since_mark_ > kMaxOutput) {
    return Fail("it asks for answers, and does not read them",
                GoAwayCode::kProtocolError);
  }
  if (header.version != kYamuxVersion) {
    return Fail(absl::StrCat("a frame of yamux version ", header.version,
                             " (known: ", kYamuxVersion, ")"),
                GoAwayCode::kProtocolError);
  }
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::kData:
    case FrameType::kWindowUpdate:
      return OnStreamFrame(header);
    case FrameType::kPing:
      OnPing(header);
      return absl::OkStatus();
    case FrameType::kGoAway:
      return OnGoAway(header);
  }
  return Fail(absl::StrCat("a frame of unknown type ", header.type),
              GoAwayCode::kProtocolError);
}

absl::Status YamuxSession::OnStreamFrame(const FrameHeader& header) {
  if (Has(header, kSyn)) {
    absl::Status status = OnSyn(header);
    if (!status.ok()) return status;
  }
  const bool data = static_cast<FrameType>(header.type) == FrameType::kData;
  payload_wanted_ = false;
  payload_ends_ = false;
  payload_stream_ = header.stream;
  payload_left_ = data ? header.length : 0;
  // One that we have reset; the other side did not know yet.
  if (Find(header.stream) == nullptr) return absl::OkStatus();
  const absl::StatusOr<bool> alive = OnFlags(header);
  if (!alive.ok()) return alive.status();
  if (!*alive) return absl::OkStatus();
  return data ? OnDataHeader(header) : OnWindowUpdate(header);
}

bool YamuxSession::MayBeOpenedByPeer(StreamId stream) const {
  return stream != 0 && stream % 2 != first_id_ % 2;
}

absl::Status YamuxSession::OnSyn(const FrameHeader& header) {
  const StreamId stream = header.stream;
  if (!MayBeOpenedByPeer(stream)) {
    return Fail(
        absl::StrCat("it opened stream ", stream, ", which is not its to open"),
        GoAwayCode::kProtocolError);
  }
  if (Find(stream) != nullptr) {
    return Fail(absl::StrCat("it opened stream ", stream, " twice"),
                GoAwayCode::kProtocolError);
  }
  if (gone_ || waiting_ >= kBacklog || theirs_ >= kMaxTheirs) {
    Frame(FrameType::kWindowUpdate, kRst, stream, 0);
    return absl::OkStatus();
  }
  streams_.emplace(stream, Stream());
  ++theirs_;
  ++waiting_;
  events_.OnOpened(stream);
  return absl::OkStatus();
}

absl::StatusOr<bool> YamuxSession::OnFlags(const FrameHeader& header) {
  const StreamId id = header.stream;
  Stream* stream = Find(id);
  if (Has(header, kAck) && stream->ours) {
    stream->accepted = true;
    unaccepted_.erase(id);
  }
  if (Has(header, kRst)) {
    Erase(id);
    events_.OnReset(id);
    return false;
  }
  if (!Has(header, kFin)) return true;
  if (stream->fin_received) {
    return Fail(absl::StrCat("it ended stream ", id, " twice"),
                GoAwayCode::kProtocolError);
  }
  // Data of the same frame comes before the end.
  payload_ends_ = payload_left_ > 0;
  if (payload_ends_) return true;
  OnFin(id);
  return Find(id) != nullptr;
}

void YamuxSession::OnFin(StreamId id) {
  Stream* stream = Find(id);
  if (stream == nullptr) return;
  stream->fin_received = true;
  if (stream->fin_sent) Erase(id);
  events_.OnFinished(id);
}

absl::Status YamuxSession::OnWindowUpdate(const FrameHeader& header) {
  Stream* stream = Find(header.stream);
  const bool had_none = stream->send_window == 0;
  // One that would overflow is as good as the largest.
  stream->send_window +=
      std::min(header.length, kMaxWindow - stream->send_window);
  if (had_none && SendWindow(header.stream) > 0) {
    events_.OnWindow(header.stream);
  }
  return absl::OkStatus();
}

absl::Status YamuxSession::OnDataHeader(const FrameHeader& header) {
  Stream* stream = Find(header.stream);
  if (header.length == 0) return absl::OkStatus();
  if (header.length > stream->receive_window) {
    return Fail(absl::StrCat("it sent ", header.length, " bytes on stream ",
                             header.stream, " where it may send ",
                             stream->receive_window),
                GoAwayCode::kProtocolError);
  }
  if (stream->fin_received) {
    // Nobody can take it: the stream's reader was told of its end.
    Reset(header.stream);
    events_.OnReset(header.stream);
    return absl::OkStatus();
  }
  stream->receive_window -= header.length;
  payload_wanted_ = true;
  return absl::OkStatus();
}

void YamuxSession::OnPayload(absl::string_view bytes) {
  payload_left_ -= static_cast<std::uint32_t>(bytes.size());
  if (!payload_wanted_ || Find(payload_stream_) == nullptr) return;
  events_.OnData(payload_stream_, bytes);
  if (payload_left_ == 0 && payload_ends_) OnFin(payload_stream_);
}

void YamuxSession::OnPing(const FrameHeader& header) {
  if (Has(header, kSyn)) {
    ++pings_received_;
    Frame(FrameType::kPing, kAck, 0, header.length);
  } else if (ping_unanswered_ && header.length == ping_) {
    ping_unanswered_ = false;
    ping_at_ = now_ + kKeepalive;
  }
}

absl::Status YamuxSession::OnGoAway(const FrameHeader& header) {
  switch (static_cast<GoAwayCode>(header.length)) {
    case GoAwayCode::kNormal:
      peer_gone_ = true;
      return absl::OkStatus();
    case GoAwayCode::kProtocolError:
      return Fail("it ended the session for a protocol error of this side",
                  GoAwayCode::kNormal);
    case GoAwayCode::kInternalError:
      return Fail("it ended the session for an internal error of its own",
                  GoAwayCode::kNormal);
  }
  return Fail(
      absl::StrCat("it ended the session with unknown code ", header.length),
      GoAwayCode::kNormal);
}

// ---- Time -------------------------------------------------------------------

void YamuxSession::Advance(absl::Duration now) {
  if (!end_.ok()) return;
  if (!begin_.has_value()) begin_ = now;
  now_ = std::max(now_, now - *begin_);
  ResetHalfClosed();
  if (now_ < ping_at_) return;
  ping_at_ = now_ + kKeepalive;
  if (ping_unanswered_) return;
  ping_unanswered_ = true;
  Frame(FrameType::kPing, kSyn, 0, ++ping_);
}

void YamuxSession::ResetHalfClosed() {
  while (!half_closed_.empty() &&
         now_ >= half_closed_.begin()->first + kHalfClosedTimeout) {
    const StreamId stream = half_closed_.begin()->second;
    Reset(stream);
    events_.OnReset(stream);
  }
}

absl::Duration YamuxSession::NextDeadline() const {
  if (!end_.ok()) return absl::InfiniteDuration();
  if (!begin_.has_value()) return absl::ZeroDuration();
  absl::Duration next = ping_at_;
  if (!half_closed_.empty()) {
    next = std::min(next, half_closed_.begin()->first + kHalfClosedTimeout);
  }
  return *begin_ + next;
}

// ---- What goes out ----------------------------------------------------------

absl::StatusOr<YamuxSession::StreamId> YamuxSession::Open() {
  if (!end_.ok()) return end_;
  if (peer_gone_ || gone_) {
    return absl::FailedPreconditionError(
        peer_gone_ ? "the other side accepts no more streams"
                   : "this side accepts no more streams");
  }
  if (unaccepted_.size() >= kBacklog) {
    return absl::ResourceExhaustedError(
        absl::StrCat(kBacklog, " streams wait to be accepted"));
  }
  if (next_id_ > kLastId) {
    return absl::ResourceExhaustedError("the session has no stream ids left");
  }
  const StreamId id = static_cast<StreamId>(next_id_);
  next_id_ += 2;
  streams_[id].ours = true;
  unaccepted_.insert(id);
  Frame(FrameType::kWindowUpdate, kSyn, id, 0);
  return id;
}

void YamuxSession::Accept(StreamId id) {
  Stream* stream = Find(id);
  if (stream == nullptr || stream->ours || stream->accepted) return;
  stream->accepted = true;
  --waiting_;
  Frame(FrameType::kWindowUpdate, kAck, id, 0);
}

absl::Span<char> YamuxSession::BeginData(StreamId id, size_t max) {
  Stream* stream = Find(id);
  if (stream == nullptr || stream->fin_sent || !end_.ok()) return {};
  const size_t size = std::min<size_t>(max, stream->send_window);
  if (size == 0) return {};
  sending_ = id;
  return {output_.Reserve(kFrameHeaderSize + size) + kFrameHeaderSize, size};
}

void YamuxSession::EndData(size_t size) {
  Stream* stream = Find(sending_);
  if (size == 0 || stream == nullptr) return;
  stream->send_window -= static_cast<std::uint32_t>(size);
  FrameHeader header;
  header.type = static_cast<std::uint8_t>(FrameType::kData);
  header.stream = sending_;
  header.length = static_cast<std::uint32_t>(size);
  Append(header, size);
}

size_t YamuxSession::Send(StreamId id, absl::string_view bytes) {
  const absl::Span<char> room = BeginData(id, bytes.size());
  if (room.empty()) return 0;
  std::memcpy(room.data(), bytes.data(), room.size());
  EndData(room.size());
  return room.size();
}

std::uint32_t YamuxSession::SendWindow(StreamId id) const {
  const auto stream = streams_.find(id);
  return stream == streams_.end() || stream->second.fin_sent
             ? 0
             : stream->second.send_window;
}

void YamuxSession::Consumed(StreamId id, size_t size) {
  Stream* stream = Find(id);
  if (stream == nullptr || stream->fin_received) return;
  stream->consumed += static_cast<std::uint32_t>(size);
  // Not for every few bytes.
  if (stream->consumed < kWindow / 2) return;
  stream->receive_window += stream->consumed;
  Frame(FrameType::kWindowUpdate, 0, id, std::exchange(stream->consumed, 0));
}

void YamuxSession::CloseWrite(StreamId id) {
  Stream* stream = Find(id);
  if (stream == nullptr || stream->fin_sent) return;
  Accept(id);
  stream->fin_sent = true;
  Frame(FrameType::kWindowUpdate, kFin, id, 0);
  if (stream->fin_received) return Erase(id);
  stream->half_closed_at = now_;
  half_closed_.emplace(now_, id);
}

void YamuxSession::Reset(StreamId id) {
  if (Find(id) == nullptr) return;
  Frame(FrameType::kWindowUpdate, kRst, id, 0);
  Erase(id);
}

void YamuxSession::GoAway(GoAwayCode code) {
  if (gone_ || !end_.ok()) return;
  gone_ = true;
  Frame(FrameType::kGoAway, 0, 0, static_cast<std::uint32_t>(code));
}

void YamuxSession::RemoveOutput(size_t size) {
  output_.RemovePrefix(size);
  if (size < until_mark_) {
    until_mark_ -= size;
    return;
  }
  control_before_mark_ = std::exchange(control_since_mark_, 0);
  until_mark_ = output_.size();
}

YamuxSession::Stream* YamuxSession::Find(StreamId id) {
  const auto stream = streams_.find(id);
  return stream == streams_.end() ? nullptr : &stream->second;
}

void YamuxSession::Erase(StreamId id) {
  const auto stream = streams_.find(id);
  if (stream == streams_.end()) return;
  unaccepted_.erase(id);
  half_closed_.erase({stream->second.half_closed_at, id});
  if (!stream->second.ours) {
    --theirs_;
    if (!stream->second.accepted) --waiting_;
  }
  streams_.erase(stream);
}

void YamuxSession::Frame(FrameType type, unsigned flags, StreamId stream,
                         std::uint32_t length) {
  FrameHeader header;
  header.type = static_cast<std::uint8_t>(type);
  header.flags = static_cast<std::uint16_t>(flags);
  header.stream = stream;
  header.length = length;
  Append(header, 0);
  control_since_mark_ += kFrameHeaderSize;
}

void YamuxSession::Append(const FrameHeader& header, size_t payload) {
  EncodeFrameHeader(header, output_.Reserve(kFrameHeaderSize + payload));
  output_.Commit(kFrameHeaderSize + payload);
}

absl::Status YamuxSession::Fail(absl::string_view what, GoAwayCode code) {
  // Also after a GoAway of the owner: that gave another reason.
  Frame(FrameType::kGoAway, 0, 0, static_cast<std::uint32_t>(code));
  end_ = absl::AbortedError(what);
  streams_.clear();
  return end_;
}

}  // namespace goplugin::internal

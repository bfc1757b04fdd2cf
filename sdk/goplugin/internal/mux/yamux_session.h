#ifndef GOPLUGIN_INTERNAL_MUX_YAMUX_SESSION_H_
#define GOPLUGIN_INTERNAL_MUX_YAMUX_SESSION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "goplugin/internal/mux/byte_queue.h"
#include "goplugin/internal/mux/frame.h"

namespace goplugin::internal {

// Who opens odd streams (the client) and who even ones.
enum class YamuxRole { kClient, kServer };

// One yamux session, many byte streams over one connection. Pure: bytes of the
// connection go in, bytes for it come out, and time is what it is told.
//
//   session.Receive(bytes);            // calls the events
//   ... session.output() ...           // to be written
//   session.RemoveOutput(written);
//
// Data is not kept here. What arrives is handed on at once, and the other side
// may send more only for what Consumed was called for: one window per stream is
// the most that anybody ever has to keep.
//
// An error of Receive ends the session: its last output is a go-away frame, and
// it calls no events any more.
//
// Not thread-safe. Events may call any method but Receive and Advance.
class YamuxSession {
 public:
  using StreamId = std::uint32_t;

  // Per stream and direction: bytes sent and not consumed.
  static constexpr std::uint32_t kWindow = std::uint32_t{256} * 1024;
  // Streams opened and not yet accepted, per direction.
  static constexpr size_t kBacklog = 256;
  // Streams that the other side has opened and that are not over; more are
  // reset. Each costs its owner a socket, and at most a window of memory.
  static constexpr size_t kMaxTheirs = 1024;
  // Between pings, which show a dead network to the kernel. No time ends the
  // session: a side that stands still (a debugger, SIGSTOP, a suspended
  // machine) answers when it goes on, and one that is gone closes the
  // connection. Go's ends it when a ping is not answered for 10 s, or a stream
  // not accepted for 75 s.
  static constexpr absl::Duration kKeepalive = absl::Seconds(30);
  static constexpr absl::Duration kHalfClosedTimeout = absl::Minutes(5);
  // A peer that asks (pings, opens) and takes no answers is cut off when so
  // much waits, data of streams not counted.
  static constexpr size_t kMaxOutput = size_t{4} * 1024 * 1024;

  class Events {
   public:
    // The other side opened a stream: Accept or Reset it, now or soon.
    virtual void OnOpened(StreamId stream) = 0;
    // Bytes of a stream, valid during the call.
    virtual void OnData(StreamId stream, absl::string_view bytes) = 0;
    // A stream that had no send window has one again.
    virtual void OnWindow(StreamId stream) = 0;
    // No more data comes.
    virtual void OnFinished(StreamId stream) = 0;
    // The stream is gone; what was not received is lost.
    virtual void OnReset(StreamId stream) = 0;

   protected:
    ~Events() = default;
  };

  // `events` must outlive the session.
  YamuxSession(YamuxRole role, Events& events)
      : events_(events),
        first_id_(role == YamuxRole::kClient ? 1U : 2U),
        next_id_(first_id_) {}
  YamuxSession(const YamuxSession&) = delete;
  YamuxSession& operator=(const YamuxSession&) = delete;

  // The next bytes of the connection, cut anywhere.
  absl::Status Receive(absl::string_view bytes);
  // It is `now`, since any moment in the past that stays the same. Sends pings
  // and resets streams that stay half closed.
  void Advance(absl::Duration now);
  // When Advance has something to do next, if nothing happens before; in the
  // past until it was called once.
  absl::Duration NextDeadline() const;

  // A new stream; data may be sent at once. Errors: the other side accepts none
  // (any more), or kBacklog of them wait for it.
  absl::StatusOr<StreamId> Open();
  // Whether the other side has yet to take this stream, which Open gave.
  bool IsUnaccepted(StreamId stream) const {
    return unaccepted_.count(stream) > 0;
  }
  // Of a stream that the other side opened.
  void Accept(StreamId id);

  // Room for at most `max` bytes of data, as far as the stream's window goes;
  // empty when there is no window or no such stream. EndData tells how many
  // were put there. No other call in between.
  absl::Span<char> BeginData(StreamId id, size_t max);
  void EndData(size_t size);
  // Sends as much as the window lets, and says how much that was.
  size_t Send(StreamId id, absl::string_view bytes);
  std::uint32_t SendWindow(StreamId id) const;

  // `size` more bytes of the stream's data are out of the way.
  void Consumed(StreamId id, size_t size);
  // No more data will be sent.
  void CloseWrite(StreamId id);
  // Both directions end, without regard for what is under way.
  void Reset(StreamId id);
  // Accepts no more streams.
  void GoAway(GoAwayCode code);

  // The owner sends no more data while much waits here: that it has a window
  // doesn't mean that the other side reads.
  absl::string_view output() const { return output_.bytes(); }
  void RemoveOutput(size_t size);

  size_t stream_count() const { return streams_.size(); }
  // A ping of this side's has no answer yet.
  bool awaits_answer() const { return ping_unanswered_; }
  // How often the other side has asked whether this one lives.
  std::uint64_t pings_received() const { return pings_received_; }

 private:
  struct Stream {
    bool ours = false;
    bool accepted = false;
    bool fin_sent = false;
    bool fin_received = false;
    std::uint32_t send_window = kWindow;
    // What the other side may still send.
    std::uint32_t receive_window = kWindow;
    // Consumed, and not yet given back as window.
    std::uint32_t consumed = 0;
    // Since when only this side has ended.
    absl::Duration half_closed_at = absl::InfiniteDuration();
  };
  using Streams = std::map<StreamId, Stream>;

  Stream* Find(StreamId id);
  bool MayBeOpenedByPeer(StreamId stream) const;
  absl::Status OnFrame(const FrameHeader& header);
  absl::Status OnStreamFrame(const FrameHeader& header);
  absl::Status OnSyn(const FrameHeader& header);
  // False when the frame has made the stream go.
  absl::StatusOr<bool> OnFlags(const FrameHeader& header);
  absl::Status OnWindowUpdate(const FrameHeader& header);
  absl::Status OnDataHeader(const FrameHeader& header);
  void OnPing(const FrameHeader& header);
  absl::Status OnGoAway(const FrameHeader& header);
  void OnPayload(absl::string_view bytes);
  void OnFin(StreamId id);

  void ResetHalfClosed();
  void Erase(StreamId id);
  void Frame(FrameType type, unsigned flags, StreamId stream,
             std::uint32_t length);
  // The header, with `payload` bytes behind it that are there already.
  void Append(const FrameHeader& header, size_t payload);
  absl::Status Fail(absl::string_view what, GoAwayCode code);

  Events& events_;
  const StreamId first_id_;
  std::uint64_t next_id_;
  Streams streams_;
  // Ours that were not accepted yet.
  std::set<StreamId> unaccepted_;
  // The other side's, and those of them that we have not accepted.
  size_t theirs_ = 0;
  size_t waiting_ = 0;
  std::set<std::pair<absl::Duration, StreamId>> half_closed_;

  ByteQueue output_;
  // Bytes of frames other than data, put there since a mark and before it. When
  // all is out that was there at the mark, a new one is set.
  size_t control_since_mark_ = 0;
  size_t control_before_mark_ = 0;
  size_t until_mark_ = 0;
  StreamId sending_ = 0;  // between BeginData and EndData

  // What was received of a header, or what is missing of a payload.
  std::array<char, kFrameHeaderSize> header_ = {};
  size_t header_size_ = 0;
  StreamId payload_stream_ = 0;
  std::uint32_t payload_left_ = 0;
  bool payload_wanted_ = false;
  bool payload_ends_ = false;  // a FIN came with it

  // What the first Advance was told. All other times are since then.
  absl::optional<absl::Duration> begin_;
  absl::Duration now_ = absl::ZeroDuration();
  absl::Duration ping_at_ = kKeepalive;
  std::uint32_t ping_ = 0;
  bool ping_unanswered_ = false;
  std::uint64_t pings_received_ = 0;
  bool peer_gone_ = false;
  bool gone_ = false;
  absl::Status end_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_YAMUX_SESSION_H_

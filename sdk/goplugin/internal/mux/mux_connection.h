#ifndef GOPLUGIN_INTERNAL_MUX_MUX_CONNECTION_H_
#define GOPLUGIN_INTERNAL_MUX_MUX_CONNECTION_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/mux/byte_queue.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// A yamux session on a connection, with each stream joined to a local socket:
// what is read on one side is written on the other. A socket that is slow stops
// its own stream only, and no more than a window of it is kept.
//
// Lives on the loop's thread. Must not be destroyed from inside its callbacks.
class MuxConnection final : private YamuxSession::Events {
 public:
  struct Callbacks {
    // The other side opened a stream: the socket to join it to. An invalid one
    // resets the stream.
    absl::AnyInvocable<UniqueFd()> on_stream;
    // The connection is over; once, and from inside a method too. OK when the
    // other side just closed it, kDeadlineExceeded when it did so behind a
    // ping: its time for the answer was over. What has arrived is still
    // delivered.
    absl::AnyInvocable<void(const absl::Status&)> on_end;
    // opening() has become false. From inside any method; may be null.
    absl::AnyInvocable<void()> on_taken = nullptr;
  };

  // All sockets must be non-blocking.
  MuxConnection(EventLoop& loop, UniqueFd connection, YamuxRole role,
                Callbacks callbacks);
  // Says good-bye, and closes all sockets.
  ~MuxConnection();
  MuxConnection(const MuxConnection&) = delete;
  MuxConnection& operator=(const MuxConnection&) = delete;

  // Opens a stream, to be joined to a socket or abandoned later. Errors: those
  // of YamuxSession::Open.
  absl::StatusOr<YamuxSession::StreamId> Open();
  // Joins it to its socket. One whose stream is gone already is closed.
  void Join(YamuxSession::StreamId stream, UniqueFd socket);
  // It is not wanted any more.
  void Abandon(YamuxSession::StreamId stream);
  // Whether the other side has yet to take the stream opened last.
  bool opening() const { return opening_.has_value(); }
  // It is waited for no longer.
  void StopOpening() { opening_.reset(); }

  // Calls it once, when no stream has anything (more) to send and all that was
  // to be sent has gone out, or the connection is over.
  void CallWhenIdle(absl::AnyInvocable<void()> on_idle);

 private:
  using StreamId = YamuxSession::StreamId;

  // One stream's socket.
  struct Bridge {
    UniqueFd socket;
    std::unique_ptr<DescriptorWatch> watch;  // null: not joined yet
    // What the socket has not taken yet; at most a window.
    ByteQueue incoming;
    bool read_closed = false;   // the socket's end was seen
    bool finished = false;      // the stream's end was seen ...
    bool write_closed = false;  // ... and passed on
  };
  using Bridges = std::map<StreamId, Bridge>;

  void OnOpened(StreamId stream) override;
  void OnData(StreamId stream, absl::string_view bytes) override;
  void OnWindow(StreamId stream) override;
  void OnFinished(StreamId stream) override;
  void OnReset(StreamId stream) override;

  void OnConnectionReadable();
  void OnTime();
  void ReadSocket(StreamId stream);
  void WriteSocket(StreamId stream);
  // True when the socket has taken all.
  bool Drain(StreamId stream, Bridge& bridge);
  // Passes the stream's end on once the socket has taken everything.
  void FinishWriting(StreamId stream, Bridge& bridge);
  void RemoveIfDone(StreamId stream, const Bridge& bridge);
  // The socket is of no use any more.
  void Break(StreamId stream);
  void Flush();
  void TellIfIdle();
  void TellIfTaken();
  void End(const absl::Status& status);
  absl::Status Closed() const;

  EventLoop& loop_;
  UniqueFd connection_;
  DescriptorWatch watch_;
  Callbacks callbacks_;
  YamuxSession session_;
  const Stopwatch clock_;
  // When its last ping was read.
  absl::Duration pinged_at_ = -absl::InfiniteDuration();
  Timer timer_;
  Bridges bridges_;
  absl::optional<StreamId> opening_;
  // Streams that wait for room in the connection.
  std::vector<StreamId> congested_;
  std::unique_ptr<char[]> buffer_;
  absl::AnyInvocable<void()> on_idle_;
  bool ended_ = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_MUX_CONNECTION_H_

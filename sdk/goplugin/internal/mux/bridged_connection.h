#ifndef GOPLUGIN_INTERNAL_MUX_BRIDGED_CONNECTION_H_
#define GOPLUGIN_INTERNAL_MUX_BRIDGED_CONNECTION_H_

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
#include "goplugin/internal/mux/mux_connection.h"
#include "goplugin/internal/mux/visitor.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// A yamux session on a connection, with each stream joined to a local socket:
// what is read on one side is written on the other. A socket that is slow stops
// its own stream only, and no more than a window of it is kept.
class BridgedConnection final : public MuxConnection,
                                private YamuxSession::Events {
 public:
  // All sockets must be non-blocking.
  BridgedConnection(EventLoop& loop, UniqueFd connection, YamuxRole role,
                    Callbacks callbacks);
  ~BridgedConnection() override;
  BridgedConnection(const BridgedConnection&) = delete;
  BridgedConnection& operator=(const BridgedConnection&) = delete;

  absl::StatusOr<StreamId> Open() override;
  void Join(StreamId stream, Visitor visitor) override;
  void Abandon(StreamId stream) override;
  bool opening() const override { return opening_.has_value(); }
  void StopOpening() override { opening_.reset(); }
  void CallWhenIdle(absl::AnyInvocable<void()> on_idle) override;

 private:
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

  void Join(StreamId stream, UniqueFd socket);
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

#endif  // GOPLUGIN_INTERNAL_MUX_BRIDGED_CONNECTION_H_

#ifndef GOPLUGIN_INTERNAL_MUX_MUX_CONNECTION_H_
#define GOPLUGIN_INTERNAL_MUX_MUX_CONNECTION_H_

#include <functional>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/internal/endpoint/local_end.h"
#include "goplugin/internal/mux/visitor.h"
#include "goplugin/internal/mux/yamux_session.h"

namespace goplugin::internal {

// A yamux session on a connection, and the way of its streams to gRPC: see
// bridged_connection.h and stream_connection.h.
//
// Lives on the loop's thread. Must not be destroyed from inside its callbacks.
// Its end says good-bye, and ends all streams.
class MuxConnection {
 public:
  using StreamId = YamuxSession::StreamId;
  // Gets this side's end of a stream. Must not block.
  using Take = std::function<void(LocalEnd)>;

  struct Callbacks {
    // The other side opened a stream: who takes it. Null resets the stream. On
    // the loop's thread.
    absl::AnyInvocable<Take()> on_stream;
    // One was reset, for there are no descriptors. On the loop's thread.
    absl::AnyInvocable<void()> on_no_room;
    // The next two may only post: they are called from inside any method, on
    // any thread, with locks held.
    //
    // The connection is over; once, and before the streams' owners are told. OK
    // when the other side just closed it, kDeadlineExceeded when it did so
    // behind a ping: its time for the answer was over. What has arrived is
    // still delivered.
    absl::AnyInvocable<void(const absl::Status&)> on_end;
    // opening() has become false; may be null.
    absl::AnyInvocable<void()> on_taken = nullptr;
  };

  virtual ~MuxConnection() = default;

  // Opens a stream, for a visitor to join, or to be abandoned later. Errors:
  // those of YamuxSession::Open.
  virtual absl::StatusOr<StreamId> Open() = 0;
  // Gives the stream to a visitor, who is turned away when it is gone already.
  virtual void Join(StreamId stream, Visitor visitor) = 0;
  // It is not wanted any more.
  virtual void Abandon(StreamId stream) = 0;
  // Whether the other side has yet to take the stream opened last.
  virtual bool opening() const = 0;
  // It is waited for no longer.
  virtual void StopOpening() = 0;

  // Calls it once, when no stream has anything (more) to send and all that was
  // to be sent has gone out, or the connection is over.
  virtual void CallWhenIdle(absl::AnyInvocable<void()> on_idle) = 0;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_MUX_CONNECTION_H_

#ifndef GOPLUGIN_INTERNAL_MUX_STREAM_CONNECTION_H_
#define GOPLUGIN_INTERNAL_MUX_STREAM_CONNECTION_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/mux/mux_connection.h"
#include "goplugin/internal/mux/shared_session.h"
#include "goplugin/internal/mux/visitor.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// A yamux session whose streams are given away as they are. The loop only
// decides whose each is, and keeps the time; bytes do not come by it.
class StreamConnection final : public MuxConnection {
 public:
  // `connection` does not block; it is read on the place's thread.
  StreamConnection(EventLoop& loop, UniqueFd connection,
                   std::unique_ptr<IoPlace> place, YamuxRole role,
                   Callbacks callbacks);
  ~StreamConnection() override;
  StreamConnection(const StreamConnection&) = delete;
  StreamConnection& operator=(const StreamConnection&) = delete;

  absl::StatusOr<StreamId> Open() override { return session_->Open(); }
  void Join(StreamId stream, Visitor visitor) override;
  void Abandon(StreamId stream) override { session_->Abandon(stream); }
  bool opening() const override { return session_->opening(); }
  void StopOpening() override { session_->StopOpening(); }
  void CallWhenIdle(absl::AnyInvocable<void()> on_idle) override;

 private:
  SharedSession::Callbacks Posting();
  void OnOpened(StreamId stream);
  void OnIdle();
  void OnTime();

  EventLoop& loop_;
  Callbacks callbacks_;
  Timer timer_;
  absl::AnyInvocable<void()> on_idle_;
  // For tasks that may come later than this object's end.
  const std::shared_ptr<StreamConnection*> self_ =
      std::make_shared<StreamConnection*>(this);
  const std::shared_ptr<SharedSession> session_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_STREAM_CONNECTION_H_

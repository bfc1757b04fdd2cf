#ifndef GOPLUGIN_INTERNAL_MUX_SHARED_SESSION_H_
#define GOPLUGIN_INTERNAL_MUX_SHARED_SESSION_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/mux/byte_queue.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// A yamux session on a connection whose streams are used on any thread. The
// connection is read on an io thread, and the streams' handlers are told on it
// alone; it is written on whichever thread has something to say. A stream that
// nobody reads stops itself only, and no more than a window of it is kept.
//
// Held by its owner and by its streams. Thread-safe.
class SharedSession final : public IoHandler,
                            private YamuxSession::Events,
                            public std::enable_shared_from_this<SharedSession> {
 public:
  using StreamId = YamuxSession::StreamId;

  // Called on any thread with the session's lock held: they may post, and
  // nothing else. Not after Close.
  struct Callbacks {
    // The other side opened a stream: to be taken or refused.
    std::function<void(StreamId)> on_opened;
    // opening() has become false.
    std::function<void()> on_taken;
    // What TellWhenIdle has asked for.
    std::function<void()> on_idle;
    // The connection is over; see MuxConnection.
    std::function<void(const absl::Status&)> on_end;
  };

  SharedSession(UniqueFd connection, std::unique_ptr<IoPlace> place,
                YamuxRole role, Callbacks callbacks);
  ~SharedSession() override = default;
  // Begins to read. Once. Where the system has no room for another watch, the
  // connection is over.
  void Start();

  // A stream of this side's, to be taken or refused later.
  absl::StatusOr<StreamId> Open() ABSL_LOCKS_EXCLUDED(mutex_);
  // Null when it is gone. Once a stream.
  std::unique_ptr<ByteStream> Take(StreamId id) ABSL_LOCKS_EXCLUDED(mutex_);
  // Of one that was not taken.
  void Refuse(StreamId id) ABSL_LOCKS_EXCLUDED(mutex_);
  // As Refuse, without a reset: nothing was, or will be, said on it.
  void Abandon(StreamId id) ABSL_LOCKS_EXCLUDED(mutex_);
  bool opening() const ABSL_LOCKS_EXCLUDED(mutex_);
  void StopOpening() ABSL_LOCKS_EXCLUDED(mutex_);
  // Time passes: how long until it has to be told so again.
  absl::Duration Advance() ABSL_LOCKS_EXCLUDED(mutex_);
  void TellWhenIdle() ABSL_LOCKS_EXCLUDED(mutex_);
  // Says good-bye, and ends all streams.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  void OnEvents(std::uint32_t events) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class StreamEnd;

  struct Stream {
    explicit Stream(bool theirs) : theirs(theirs) {}
    const bool theirs;
    std::weak_ptr<IoHandler> handler;
    // What its handler is to be told.
    std::uint32_t events = 0;
    // What was not read yet; at most a window.
    ByteQueue incoming{kKeptPerStream};
    bool finished = false;  // no more comes
    bool gone = false;      // nothing goes out
  };
  using Streams = std::map<StreamId, Stream>;
  // As much memory as a stream that says nothing may hold on to.
  static constexpr size_t kKeptPerStream = size_t{8} * 1024;

  // What StreamEnd does.
  ssize_t Receive(StreamId id, const iovec* parts, size_t count)
      ABSL_LOCKS_EXCLUDED(mutex_);
  ssize_t Send(StreamId id, const iovec* parts, size_t count)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Watch(StreamId id, std::weak_ptr<IoHandler> handler)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void TellAgain(StreamId id) ABSL_LOCKS_EXCLUDED(mutex_);

  void OnOpened(StreamId id) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnData(StreamId id, absl::string_view bytes) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnWindow(StreamId id) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnFinished(StreamId id) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnReset(StreamId id) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The io thread's.
  void Read(bool over) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether there may be more.
  bool ReadOnce(bool over) ABSL_LOCKS_EXCLUDED(mutex_);
  void TellHandlers() ABSL_LOCKS_EXCLUDED(mutex_);

  // As many bytes of the part as the stream may send now.
  size_t Put(StreamId id, absl::string_view bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(StreamId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(StreamId id, Stream& stream, std::uint32_t events)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellIfTaken() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellIfIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndStreams() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const UniqueFd connection_;
  const std::unique_ptr<IoPlace> place_;
  const Stopwatch clock_;
  // The io thread's.
  const std::unique_ptr<char[]> buffer_;

  mutable absl::Mutex mutex_;
  Callbacks callbacks_ ABSL_GUARDED_BY(mutex_);
  YamuxSession session_ ABSL_GUARDED_BY(mutex_);
  Streams streams_ ABSL_GUARDED_BY(mutex_);
  // How many of them are the other side's.
  size_t theirs_ ABSL_GUARDED_BY(mutex_) = 0;
  // Those whose handlers are to be told something.
  std::vector<StreamId> to_tell_ ABSL_GUARDED_BY(mutex_);
  // Those that wait for room in the connection.
  std::vector<StreamId> congested_ ABSL_GUARDED_BY(mutex_);
  absl::optional<StreamId> opening_ ABSL_GUARDED_BY(mutex_);
  // When the other side's last ping was read.
  absl::Duration pinged_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  // The io thread comes to tell the handlers without being called.
  bool tells_soon_ ABSL_GUARDED_BY(mutex_) = false;
  bool waits_for_room_ ABSL_GUARDED_BY(mutex_) = false;
  bool tells_when_idle_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_SHARED_SESSION_H_

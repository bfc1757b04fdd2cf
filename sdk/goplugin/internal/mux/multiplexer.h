#ifndef GOPLUGIN_INTERNAL_MUX_MULTIPLEXER_H_
#define GOPLUGIN_INTERNAL_MUX_MULTIPLEXER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/mux/door.h"
#include "goplugin/internal/mux/mux_connection.h"
#include "goplugin/internal/mux/private_socket.h"
#include "goplugin/internal/mux/visitor.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// All gRPC connections of a plugin over one: the streams of a yamux session,
// joined to private sockets on this side or given to gRPC as they are, and the
// knocks that tell whose the next stream is.
//
//   auto multiplexer = Multiplexer::Create(loop, options);
//   auto door = multiplexer->OpenDoor(id);         // gRPC dials it
//   multiplexer->Serve(id, take);                  // gRPC gets what take gets
//   multiplexer->Start(connection);
//
// Thread-safe. The work is done on the loop's thread; End must come before the
// loop's end.
class Multiplexer : public std::enable_shared_from_this<Multiplexer> {
 public:
  using ServiceId = std::uint32_t;
  // Gets this side's end of a stream. Called on the loop's thread, must not
  // block.
  using Take = MuxConnection::Take;

  struct Options {
    YamuxRole role = YamuxRole::kClient;
    // Who is on the other side, for errors: "plugin" or "host".
    std::string peer;
    // The server of the streams without a knock; null resets them.
    Take main_server = nullptr;
    // Where the connection is read when gRPC takes its streams as they are;
    // null where they have to be sockets.
    std::unique_ptr<IoPlace> place = nullptr;
    // Makes the socket of a door, then. Called on the threads that call
    // OpenDoor.
    MakeDoorSocket make_door = nullptr;
    // A remark for the log. Called on the loop's thread, must not block.
    std::function<void(std::string)> warn;
    // The connection is over, and not by End. On the loop's thread.
    std::function<void(const absl::Status&)> on_end = nullptr;
  };

  // How knocks travel: the broker's stream. Called on the loop's thread, must
  // not block.
  struct Messages {
    // An error when it can't be sent; kBrokerTimeout when it can be later.
    std::function<absl::Status(ServiceId)> knock;
    // Acknowledges a knock, or refuses it with an error.
    std::function<void(ServiceId, const std::string& error)> answer;
    // What it gives is held while a message is waited for; may be null.
    std::function<std::shared_ptr<void>()> expect;
  };

  static std::shared_ptr<Multiplexer> Create(EventLoop& loop, Options options);
  ~Multiplexer();
  Multiplexer(const Multiplexer&) = delete;
  Multiplexer& operator=(const Multiplexer&) = delete;

  // The connection to the other side is there.
  void Start(UniqueFd connection);
  // Closes everything; whatever is asked later gets `reason`. On the loop's
  // thread, and not from a callback of the options. The first call counts.
  void End(const absl::Status& reason);

  // Calls `done` on the loop's thread when everything that this side's sockets
  // have said has gone out and they are closed, or after `timeout`.
  void Drain(absl::Duration timeout, absl::AnyInvocable<void()> done);

  // A door to the service with this id. Blocks as the file system does, where
  // doors are sockets. Errors: those of the options' make_door.
  absl::StatusOr<std::shared_ptr<Door>> OpenDoor(ServiceId id);
  // A door to the main server, at a socket that is there already, where doors
  // are sockets.
  absl::StatusOr<std::shared_ptr<Door>> OpenMainDoor(DoorSocket socket);
  void CloseDoor(std::uint64_t key);
  // A visitor of the door's.
  void Enter(std::uint64_t key, Visitor visitor);

  // Streams for `id` go to `take`, until Withdraw. Whoever learns of the id
  // afterwards can knock.
  void Serve(ServiceId id, Take take);
  void Withdraw(ServiceId id);

  // The broker's stream is open.
  void SetMessages(Messages messages);
  // It is closed: the knock that waits for its answer fails with `reason`.
  void Interrupt(const absl::Status& reason);
  // What came on it. An empty error means acknowledged. When kMaxMessages are
  // on their way to the loop, the caller waits: the other side may send faster
  // than they are dealt with. Not on the loop's thread.
  static constexpr size_t kMaxMessages = 256;
  void OnKnock(ServiceId id);
  void OnAnswer(ServiceId id, std::string error);

 private:
  class State;

  Multiplexer(EventLoop& loop, bool gives_streams, MakeDoorSocket make_door);
  // Runs it on the loop's thread; the end's reason when that has come.
  absl::Status Post(absl::AnyInvocable<void(State&)> task);
  absl::StatusOr<std::shared_ptr<Door>> AddDoor(absl::optional<ServiceId> id,
                                                DoorSocket socket);
  // The same for what the other side has sent.
  void PostMessage(absl::AnyInvocable<void(State&)> task);
  bool TakesMessages() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return messages_ < kMaxMessages || loop_ == nullptr;
  }

  const bool gives_streams_;
  const MakeDoorSocket make_door_;
  // The loop's alone.
  std::unique_ptr<State> state_;
  std::atomic<std::uint64_t> last_key_{0};
  absl::Mutex mutex_;
  EventLoop* loop_ ABSL_GUARDED_BY(mutex_);
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
  size_t messages_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_MULTIPLEXER_H_

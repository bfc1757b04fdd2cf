#ifndef GOPLUGIN_INTERNAL_NET_ACCEPTORS_H_
#define GOPLUGIN_INTERNAL_NET_ACCEPTORS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/net/peer.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

class Acceptors;

// One socket that is listened at, until this object goes.
class Accepting {
 public:
  Accepting(std::weak_ptr<Acceptors> acceptors, std::uint64_t key)
      : acceptors_(std::move(acceptors)), key_(key) {}
  ~Accepting();
  Accepting(const Accepting&) = delete;
  Accepting& operator=(const Accepting&) = delete;

 private:
  const std::weak_ptr<Acceptors> acceptors_;
  const std::uint64_t key_;
};

// Accepts connections for those who can't have their own way with a socket's
// file, as gRPC does: looks who has come, and hands the connection on.
//
// Whoever is not invited is turned away before a byte is read, and counted.
// Connections that were accepted and wait to be taken are kMaxWaiting at most;
// the others wait in the kernel's queue. Without descriptors left it waits and
// tries again: the listener stays.
//
// Thread-safe. The work is done on the loop's thread; End must come before the
// loop's end.
class Acceptors : public std::enable_shared_from_this<Acceptors> {
 public:
  static constexpr size_t kMaxWaiting = 64;

  // Runs a task soon, on a thread that may block for a moment. Tasks of one
  // set of acceptors must not wait for each other.
  using Run = std::function<void(absl::AnyInvocable<void()>)>;
  // Gets a connection that does not block. On a thread of Run's.
  using Take = std::function<void(UniqueFd)>;
  // A remark for the log. On the loop's thread, must not block.
  using Warn = std::function<void(std::string)>;

  static std::shared_ptr<Acceptors> Create(EventLoop& loop, Run run, Warn warn);
  ~Acceptors();
  Acceptors(const Acceptors&) = delete;
  Acceptors& operator=(const Acceptors&) = delete;

  // `listener` listens and does not block.
  std::unique_ptr<Accepting> Accept(UniqueFd listener, GuestList guests,
                                    Take take);
  // Runs what hands on a connection that was made in this process, as if it had
  // been accepted.
  void HandOver(absl::AnyInvocable<void()> task) { run_(std::move(task)); }
  // Closes all listeners. On the loop's thread. What comes later does nothing.
  void End();

 private:
  friend class Accepting;
  class State;

  Acceptors(EventLoop& loop, Run run, Warn warn);
  // False after End.
  bool Post(absl::AnyInvocable<void(State&)> task);
  // nullptr after End.
  State* StateOnLoop();
  void Close(std::uint64_t key);
  void Give(std::uint64_t key, UniqueFd connection, Take take);

  const Run run_;
  const Warn warn_;
  // The loop's alone.
  std::unique_ptr<State> state_;
  absl::Mutex mutex_;
  EventLoop* loop_ ABSL_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> last_key_{0};
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_NET_ACCEPTORS_H_

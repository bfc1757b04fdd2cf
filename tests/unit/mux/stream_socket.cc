#include "tests/unit/mux/stream_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "tests/unit/mux/sockets.h"

namespace goplugin::internal {
namespace {

constexpr size_t kBuffer = 65536;

// Two threads that wait, as nothing else here may.
class Pump final : public IoHandler {
 public:
  Pump(std::unique_ptr<ByteStream> stream, UniqueFd socket)
      : stream_(std::move(stream)), socket_(std::move(socket)) {}

  static void Start(const std::shared_ptr<Pump>& pump) {
    pump->stream_->Watch(pump);
    std::thread([pump] { pump->ToSocket(); }).detach();
    std::thread([pump] { pump->ToStream(); }).detach();
  }

  void OnEvents(std::uint32_t events) override {
    MutexLock lock(mutex_);
    readable_ = readable_ || (events & (EPOLLIN | EPOLLHUP)) != 0;
    writable_ = writable_ || (events & (EPOLLOUT | EPOLLHUP)) != 0;
  }

 private:
  void Await(bool& ready) {
    MutexLock lock(mutex_);
    mutex_.Await(absl::Condition(&ready));
    ready = false;
  }

  void ToSocket() {
    char bytes[kBuffer];
    while (true) {
      const iovec part = {bytes, sizeof bytes};
      const ssize_t count = stream_->Receive(&part, 1);
      if (count < 0 && errno == EAGAIN) {
        Await(readable_);
        continue;
      }
      if (count <= 0) break;
      ssize_t done = 0;
      while (done < count) {
        const ssize_t sent =
            send(socket_.get(), bytes + done, static_cast<size_t>(count - done),
                 MSG_NOSIGNAL);
        if (sent <= 0) return;
        done += sent;
      }
    }
    shutdown(socket_.get(), SHUT_WR);
  }

  void ToStream() {
    char bytes[kBuffer];
    bool open = true;
    while (open) {
      const ssize_t count = recv(socket_.get(), bytes, sizeof bytes, 0);
      if (count <= 0) break;
      size_t done = 0;
      while (done < static_cast<size_t>(count) && open) {
        const iovec part = {bytes + done, static_cast<size_t>(count) - done};
        const ssize_t sent = stream_->Send(&part, 1);
        if (sent > 0) {
          done += static_cast<size_t>(sent);
        } else if (sent < 0 && errno == EAGAIN) {
          stream_->TellWritable(true);
          Await(writable_);
        } else {
          open = false;
        }
      }
    }
    stream_->Close();
    // The other thread is to see the end.
    OnEvents(EPOLLIN);
  }

  const std::unique_ptr<ByteStream> stream_;
  const UniqueFd socket_;
  absl::Mutex mutex_;
  bool readable_ ABSL_GUARDED_BY(mutex_) = false;
  bool writable_ ABSL_GUARDED_BY(mutex_) = false;
};

// Blocks on one side only.
std::pair<UniqueFd, UniqueFd> MakePair() {
  int ends[2] = {-1, -1};
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

UniqueFd SocketOver(std::unique_ptr<ByteStream> stream) {
  auto [ours, theirs] = MakePair();
  Pump::Start(std::make_shared<Pump>(std::move(stream), std::move(theirs)));
  return std::move(ours);
}

UniqueFd EnterBy(Door& door) {
  if (door.is_socket()) return ConnectTo(door.endpoint().address);
  auto [ours, theirs] = MakePair();
  door.Enter([socket = std::move(theirs)](
                 absl::StatusOr<std::unique_ptr<ByteStream>> stream) mutable {
    UniqueFd end = std::move(socket);
    if (!stream.ok()) return;
    Pump::Start(std::make_shared<Pump>(*std::move(stream), std::move(end)));
  });
  return std::move(ours);
}

}  // namespace goplugin::internal

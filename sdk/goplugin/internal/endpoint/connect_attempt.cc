#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <grpc/event_engine/event_engine.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/endpoint/connect_attempt.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/endpoint/stream_endpoint.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;

absl::Status Failed(absl::string_view what, int error_number) {
  return absl::UnavailableError(
      absl::ErrnoToStatus(error_number, what).message());
}

// An IPv4 address that is written as an IPv6 one needs no IPv6, which the
// system may not have.
EventEngine::ResolvedAddress WithoutMapping(
    const EventEngine::ResolvedAddress& address) {
  if (address.address()->sa_family != AF_INET6) return address;
  const auto& mapped =
      *reinterpret_cast<const sockaddr_in6*>(address.address());
  if (!IN6_IS_ADDR_V4MAPPED(&mapped.sin6_addr)) return address;
  sockaddr_in plain = {};
  plain.sin_family = AF_INET;
  plain.sin_port = mapped.sin6_port;
  memcpy(&plain.sin_addr, &mapped.sin6_addr.s6_addr[12],
         sizeof(plain.sin_addr));
  return {reinterpret_cast<const sockaddr*>(&plain), sizeof(plain)};
}

UniqueFd OpenSocket(int family) {
  UniqueFd opened(
      socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (opened.valid() && family != AF_UNIX) {
    const int on = 1;
    setsockopt(opened.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return opened;
}

int ErrorOf(int fd) {
  int error_number = 0;
  socklen_t size = sizeof(error_number);
  const bool known =
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &size) == 0;
  return known ? error_number : errno;
}

}  // namespace

ConnectAttempt::~ConnectAttempt() {
  // Its place is one on the parent's thread.
  if (!over_ && ForkedFromIoThreads()) {
    static_cast<void>(new Ended{std::move(parts_), std::move(socket_)});
  }
}

void ConnectAttempt::Start(const EventEngine::ResolvedAddress& given,
                           EventEngine::Duration timeout) {
  const EventEngine::ResolvedAddress address = WithoutMapping(given);
  int error_number = 0;
  {
    MutexLock lock(mutex_);
    socket_ = OpenSocket(address.address()->sa_family);
    // A unix socket connects at once, or not; EAGAIN is that its queue is full.
    if (!socket_.valid() ||
        connect(socket_.get(), address.address(), address.size()) != 0) {
      error_number = errno;
    }
    if (error_number == EINPROGRESS) {
      if (parts_.place->Watch(socket_.get(), /*writable=*/true,
                              weak_from_this())) {
        timer_ = parts_.grpcs->RunAfter(timeout, [weak = weak_from_this()] {
          if (const auto self = weak.lock()) {
            self->EndWith(absl::DeadlineExceededError("connect() timed out"));
          }
        });
        return;
      }
      error_number = ENOSPC;
    }
  }
  End(error_number);
}

bool ConnectAttempt::Cancel() {
  const std::unique_ptr<Ended> ended = TakeAll();
  return ended != nullptr;
}

void ConnectAttempt::OnEvents(std::uint32_t events) {
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) == 0) return;
  int error_number = 0;
  {
    MutexLock lock(mutex_);
    if (over_) return;
    error_number = ErrorOf(socket_.get());
  }
  End(error_number);
}

void ConnectAttempt::End(int error_number) {
  if (error_number != 0) return EndWith(Failed("connect failed", error_number));
  const std::unique_ptr<Ended> ended = TakeAll();
  if (ended == nullptr) return;
  Parts& parts = ended->parts;
  Connected connected =
      MakeSocketEndpoint(std::move(ended->socket), std::move(parts.place),
                         std::move(parts.allocator));
  if (*connected == nullptr) connected = Failed("epoll_ctl", ENOSPC);
  Tell(parts, std::move(connected));
}

void ConnectAttempt::EndWith(const absl::Status& error) {
  const std::unique_ptr<Ended> ended = TakeAll();
  if (ended != nullptr) Tell(ended->parts, error);
}

std::unique_ptr<ConnectAttempt::Ended> ConnectAttempt::TakeAll() {
  auto ended = std::make_unique<Ended>();
  EventEngine::TaskHandle timer;
  {
    MutexLock lock(mutex_);
    if (over_) return nullptr;
    over_ = true;
    ended->parts = std::move(parts_);
    ended->socket = std::move(socket_);
    timer = timer_;
  }
  ended->parts.place->Unwatch();
  if (timer != EventEngine::TaskHandle::kInvalid) {
    ended->parts.grpcs->Cancel(timer);
  }
  ended->parts.on_over();
  return ended;
}

void ConnectAttempt::Tell(Parts& parts, Connected connected) {
  parts.grpcs->Run([on_connect = std::move(parts.on_connect),
                    connected = std::move(connected)]() mutable {
    on_connect(std::move(connected));
  });
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS

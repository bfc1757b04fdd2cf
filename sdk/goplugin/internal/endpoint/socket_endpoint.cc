#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>
#include <grpc/event_engine/slice_buffer.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "goplugin/internal/endpoint/callback.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/endpoint/socket_endpoint.h"
#include "goplugin/internal/endpoint/socket_input.h"
#include "goplugin/internal/endpoint/socket_output.h"

namespace goplugin::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;
using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::SliceBuffer;

EventEngine::ResolvedAddress AddressOf(int fd,
                                       decltype(&getsockname) of_which) {
  sockaddr_storage storage = {};
  socklen_t size = sizeof(storage);
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  if (of_which(fd, address, &size) != 0) return {};
  return {address, size};
}

// What outlives the endpoint for as long as an io thread is at work for it.
class Connection final : public IoHandler {
 public:
  Connection(UniqueFd socket, std::unique_ptr<IoPlace> place,
             MemoryAllocator allocator)
      : socket_(std::move(socket)),
        place_(std::move(place)),
        input_(socket_.get(), *place_, std::move(allocator)),
        output_(socket_.get(), *place_) {}

  static bool Watch(const std::shared_ptr<Connection>& connection) {
    return connection->place_->Watch(connection->socket_.get(),
                                     /*writable=*/false, connection);
  }

  SocketInput& input() { return input_; }
  SocketOutput& output() { return output_; }

  void OnEvents(std::uint32_t events) override {
    const bool over = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    const bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
    // The sooner there is room for, the sooner somebody answers.
    if (broken || (events & EPOLLOUT) != 0) output_.OnWritable();
    if (over || (events & EPOLLIN) != 0) input_.OnReadable(over);
  }

  void Close() {
    IoCallback on_read = input_.Close();
    IoCallback on_written = output_.Close();
    place_->Unwatch();
    // A forked child has the socket too: the other side is to see the end.
    shutdown(socket_.get(), SHUT_RDWR);
    CallLater(std::move(on_read), absl::CancelledError("endpoint closed"));
    CallLater(std::move(on_written), absl::CancelledError("endpoint closed"));
  }

 private:
  const UniqueFd socket_;
  const std::unique_ptr<IoPlace> place_;
  SocketInput input_;
  SocketOutput output_;
};

class SocketEndpoint final : public EventEngine::Endpoint {
 public:
  explicit SocketEndpoint(std::shared_ptr<Connection> connection, int fd)
      : peer_(AddressOf(fd, getpeername)),
        local_(AddressOf(fd, getsockname)),
        connection_(std::move(connection)) {}

  ~SocketEndpoint() override {
    if (ForkedFromIoThreads()) {
      // Whoever held its locks is not here.
      static_cast<void>(new std::shared_ptr<Connection>(connection_));
      return;
    }
    connection_->Close();
  }

  bool Read(IoCallback on_read, SliceBuffer* buffer, ReadArgs args) override {
    if (ForkedFromIoThreads()) return false;
    // Who asks for memory may end the endpoint.
    const std::shared_ptr<Connection> held = connection_;
    return held->input().Read(std::move(on_read), buffer,
                              args.read_hint_bytes());
  }

  bool Write(IoCallback on_written, SliceBuffer* data,
             WriteArgs /*args*/) override {
    if (ForkedFromIoThreads()) return false;
    return connection_->output().Write(std::move(on_written), data);
  }

  const EventEngine::ResolvedAddress& GetPeerAddress() const override {
    return peer_;
  }
  const EventEngine::ResolvedAddress& GetLocalAddress() const override {
    return local_;
  }
  std::shared_ptr<TelemetryInfo> GetTelemetryInfo() const override {
    return nullptr;
  }

 private:
  const EventEngine::ResolvedAddress peer_;
  const EventEngine::ResolvedAddress local_;
  const std::shared_ptr<Connection> connection_;
};

}  // namespace

std::unique_ptr<EventEngine::Endpoint> MakeSocketEndpoint(
    UniqueFd socket, std::unique_ptr<IoPlace> place,
    MemoryAllocator allocator) {
  const int fd = socket.get();
  auto connection = std::make_shared<Connection>(
      std::move(socket), std::move(place), std::move(allocator));
  if (!Connection::Watch(connection)) return nullptr;
  return std::make_unique<SocketEndpoint>(std::move(connection), fd);
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS

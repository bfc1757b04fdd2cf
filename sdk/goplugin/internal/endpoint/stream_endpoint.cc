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
#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/endpoint/callback.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/endpoint/socket_stream.h"
#include "goplugin/internal/endpoint/stream_endpoint.h"
#include "goplugin/internal/endpoint/stream_input.h"
#include "goplugin/internal/endpoint/stream_output.h"

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
  Connection(std::unique_ptr<ByteStream> stream, MemoryAllocator allocator)
      : stream_(std::move(stream)),
        input_(*stream_, std::move(allocator)),
        output_(*stream_) {}

  static bool Watch(const std::shared_ptr<Connection>& connection) {
    return connection->stream_->Watch(connection);
  }

  StreamInput& input() { return input_; }
  StreamOutput& output() { return output_; }

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
    stream_->Close();
    CallLater(std::move(on_read), absl::CancelledError("endpoint closed"));
    CallLater(std::move(on_written), absl::CancelledError("endpoint closed"));
  }

 private:
  const std::unique_ptr<ByteStream> stream_;
  StreamInput input_;
  StreamOutput output_;
};

class StreamEndpoint final : public EventEngine::Endpoint {
 public:
  StreamEndpoint(std::shared_ptr<Connection> connection,
                 const EventEngine::ResolvedAddress& peer,
                 const EventEngine::ResolvedAddress& local)
      : peer_(peer), local_(local), connection_(std::move(connection)) {}

  ~StreamEndpoint() override {
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
    if (IoThreadsHalted()) {
      // Whoever asks would wait for an answer that nobody reads.
      CallLater(std::move(on_written),
                absl::UnavailableError("the process exits"));
      return false;
    }
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

std::unique_ptr<EventEngine::Endpoint> MakeStreamEndpoint(
    std::unique_ptr<ByteStream> stream,
    const EventEngine::ResolvedAddress& peer,
    const EventEngine::ResolvedAddress& local, MemoryAllocator allocator) {
  auto connection =
      std::make_shared<Connection>(std::move(stream), std::move(allocator));
  if (!Connection::Watch(connection)) return nullptr;
  return std::make_unique<StreamEndpoint>(std::move(connection), peer, local);
}

std::unique_ptr<EventEngine::Endpoint> MakeSocketEndpoint(
    UniqueFd socket, std::unique_ptr<IoPlace> place,
    MemoryAllocator allocator) {
  const auto peer = AddressOf(socket.get(), getpeername);
  const auto local = AddressOf(socket.get(), getsockname);
  return MakeStreamEndpoint(
      std::make_unique<SocketStream>(std::move(socket), std::move(place)), peer,
      local, std::move(allocator));
}

EventEngine::ResolvedAddress Unnamed() {
  sockaddr unnamed = {};
  unnamed.sa_family = AF_UNIX;
  return {&unnamed, sizeof(unnamed.sa_family)};
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS

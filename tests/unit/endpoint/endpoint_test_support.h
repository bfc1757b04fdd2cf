#ifndef TESTS_UNIT_ENDPOINT_ENDPOINT_TEST_SUPPORT_H_
#define TESTS_UNIT_ENDPOINT_ENDPOINT_TEST_SUPPORT_H_

#include <fcntl.h>
#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/slice_buffer.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/slice_buffer.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/endpoint/stream_endpoint.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/steady_condition.h"

namespace goplugin::internal {

using grpc_event_engine::experimental::EventEngine;
using grpc_event_engine::experimental::SliceBuffer;

inline constexpr absl::Duration kSoon = absl::Seconds(20);

inline void AddTo(SliceBuffer& buffer, absl::string_view text) {
  grpc_slice_buffer_add_indexed(
      buffer.c_slice_buffer(),
      grpc_slice_from_copied_buffer(text.data(), text.size()));
}

inline std::string TextOf(SliceBuffer& buffer) {
  std::string text(buffer.Length(), '\0');
  buffer.MoveFirstNBytesIntoBuffer(text.size(), text.data());
  return text;
}

// One read or write: what became of it.
class Operation {
 public:
  absl::AnyInvocable<void(absl::Status)> Callback() {
    return [this](absl::Status status) {
      ++calls_;
      status_ = std::move(status);
      over_.Notify();
    };
  }
  bool Wait() { return over_.WaitFor(kSoon); }
  const absl::Status& status() const { return status_; }
  int calls() const { return calls_; }

 private:
  int calls_ = 0;
  absl::Status status_;
  SteadyNotification over_;
};

// One read, until it is over.
inline absl::Status ReadSome(EventEngine::Endpoint& endpoint,
                             std::string& text) {
  SliceBuffer buffer;
  Operation read;
  if (!endpoint.Read(read.Callback(), &buffer, {})) {
    if (!read.Wait()) return absl::InternalError("no answer");
    if (!read.status().ok()) return read.status();
  }
  text += TextOf(buffer);
  return absl::OkStatus();
}

inline std::string ReadAll(EventEngine::Endpoint& endpoint, size_t size) {
  std::string text;
  while (text.size() < size) {
    const absl::Status status = ReadSome(endpoint, text);
    if (!status.ok()) return std::string(status.message());
  }
  return text;
}

inline absl::Status WriteAll(EventEngine::Endpoint& endpoint,
                             absl::string_view text) {
  SliceBuffer buffer;
  AddTo(buffer, text);
  Operation write;
  if (endpoint.Write(write.Callback(), &buffer, {})) return absl::OkStatus();
  if (!write.Wait()) return absl::InternalError("no answer");
  return write.status();
}

// A socket and an endpoint that talk with each other.
class SocketTest : public ::testing::Test {
 protected:
  SocketTest() {
    grpc_init();
    Connect();
  }
  ~SocketTest() override {
    endpoint.reset();
    grpc_shutdown();
  }

  void Connect() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    endpoint = Wrap(UniqueFd(fds[0]));
    peer.reset(fds[1]);
  }

  static std::unique_ptr<EventEngine::Endpoint> Wrap(UniqueFd socket) {
    fcntl(socket.get(), F_SETFL, O_NONBLOCK);
    std::unique_ptr<IoPlace> place = IoPlace::Take();
    if (place == nullptr) return nullptr;
    return MakeSocketEndpoint(std::move(socket), std::move(place));
  }

  std::unique_ptr<EventEngine::Endpoint> endpoint;
  UniqueFd peer;
};

}  // namespace goplugin::internal

#endif  // TESTS_UNIT_ENDPOINT_ENDPOINT_TEST_SUPPORT_H_

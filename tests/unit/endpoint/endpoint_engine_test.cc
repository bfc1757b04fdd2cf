#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <arpa/inet.h>
#include <grpc/event_engine/endpoint_config.h>
#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>
#include <grpc/grpc.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/endpoint/endpoint_engine.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/endpoint/socket_stream.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/steady_condition.h"
#include "tests/unit/endpoint/endpoint_test_support.h"

namespace goplugin::internal {
namespace {

using grpc_event_engine::experimental::EndpointConfig;
using Connected = absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>>;

class NoConfig final : public EndpointConfig {
 public:
  std::optional<int> GetInt(absl::string_view) const override { return {}; }
  std::optional<absl::string_view> GetString(absl::string_view) const override {
    return {};
  }
  void* GetVoidPointer(absl::string_view) const override { return nullptr; }
};

// One connection: what became of it.
class Result {
 public:
  EventEngine::OnConnectCallback Callback() {
    return [this](Connected connected) {
      ++calls_;
      connected_ = std::move(connected);
      over_.Notify();
    };
  }
  Connected Wait() {
    if (!over_.WaitFor(kSoon)) return absl::InternalError("no answer");
    return std::move(connected_);
  }
  int calls() const { return calls_; }

 private:
  int calls_ = 0;
  Connected connected_ = absl::InternalError("none");
  SteadyNotification over_;
};

class EndpointEngineTest : public ::testing::Test {
 protected:
  EndpointEngineTest() {
    grpc_init();
    engine = std::make_shared<EndpointEngine>(
        grpc_event_engine::experimental::GetDefaultEventEngine());
  }
  ~EndpointEngineTest() override {
    engine.reset();
    grpc_shutdown();
  }

  EventEngine::ConnectionHandle Connect(
      Result& result, const EventEngine::ResolvedAddress& address,
      absl::Duration timeout = kSoon) {
    return engine->Connect(result.Callback(), address, NoConfig(), {},
                           absl::ToChronoNanoseconds(timeout));
  }

  // A tcp address that listens.
  EventEngine::ResolvedAddress Listen(int backlog) {
    listener.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener.get(), generic, size), 0);
    EXPECT_EQ(listen(listener.get(), backlog), 0);
    EXPECT_EQ(getsockname(listener.get(), generic, &size), 0);
    return {generic, size};
  }

  // One that answers to nobody: its queue is full.
  EventEngine::ResolvedAddress Silent() {
    const EventEngine::ResolvedAddress address = Listen(0);
    for (int i = 0; i < 4; ++i) {
      fillers.emplace_back(
          socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      static_cast<void>(
          connect(fillers.back().get(), address.address(), address.size()));
    }
    absl::SleepFor(absl::Milliseconds(20));
    return address;
  }

  std::shared_ptr<EndpointEngine> engine;
  UniqueFd listener;
  std::vector<UniqueFd> fillers;
};

EventEngine::ResolvedAddress UnixAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  return {reinterpret_cast<const sockaddr*>(&address), sizeof(address)};
}

TEST_F(EndpointEngineTest, ConnectsByTcp) {
  const EventEngine::ResolvedAddress address = Listen(5);
  Result result;
  Connect(result, address);
  Connected connected = result.Wait();
  ASSERT_TRUE(connected.ok()) << connected.status();
  const UniqueFd accepted(accept(listener.get(), nullptr, nullptr));
  EXPECT_EQ(WriteAll(**connected, "hello"), absl::OkStatus());
  char text[5] = {};
  EXPECT_EQ(read(accepted.get(), text, 5), 5);
  EXPECT_EQ(write(accepted.get(), text, 5), 5);
  EXPECT_EQ(ReadAll(**connected, 5), "hello");
  EXPECT_EQ(memcmp((*connected)->GetPeerAddress().address(), address.address(),
                   address.size()),
            0);
}

// What "localhost" is for the SDK.
TEST_F(EndpointEngineTest, ConnectsToAnIpv4AddressWrittenAsIpv6) {
  const EventEngine::ResolvedAddress listening = Listen(5);
  sockaddr_in6 mapped = {};
  mapped.sin6_family = AF_INET6;
  mapped.sin6_port =
      reinterpret_cast<const sockaddr_in*>(listening.address())->sin_port;
  ASSERT_EQ(inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr), 1);
  Result result;
  Connect(result, {reinterpret_cast<const sockaddr*>(&mapped), sizeof(mapped)});
  const Connected connected = result.Wait();
  ASSERT_TRUE(connected.ok()) << connected.status();
  EXPECT_EQ((*connected)->GetPeerAddress().address()->sa_family, AF_INET);
}

TEST_F(EndpointEngineTest, ConnectsToAUnixSocket) {
  char directory[] = "/tmp/goplugin-engine-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = absl::StrCat(directory, "/s");
  const EventEngine::ResolvedAddress address = UnixAddress(path);
  listener.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(listener.get(), address.address(), address.size()), 0);
  ASSERT_EQ(listen(listener.get(), 5), 0);
  Result result;
  Connect(result, address);
  const Connected connected = result.Wait();
  ASSERT_TRUE(connected.ok()) << connected.status();
  EXPECT_EQ((*connected)->GetPeerAddress().address()->sa_family, AF_UNIX);
  unlink(path.c_str());
  rmdir(directory);
}

TEST_F(EndpointEngineTest, SaysWhyItDoesNot) {
  Result unix;
  Connect(unix, UnixAddress("/nonexistent/socket"));
  const absl::Status missing = unix.Wait().status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(missing.message(), "connect failed: No such file or directory");
  const EventEngine::ResolvedAddress address = Listen(1);
  listener.reset();
  Result tcp;
  Connect(tcp, address);
  EXPECT_EQ(tcp.Wait().status().message(),
            "connect failed: Connection refused");
}

TEST_F(EndpointEngineTest, AnAttemptTakesItsTime) {
  Result result;
  Connect(result, Silent(), absl::Milliseconds(50));
  EXPECT_EQ(result.Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(EndpointEngineTest, AnAttemptCanBeCancelled) {
  Result result;
  const EventEngine::ConnectionHandle handle = Connect(result, Silent());
  EXPECT_TRUE(engine->CancelConnect(handle));
  EXPECT_FALSE(engine->CancelConnect(handle));
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_EQ(result.calls(), 0);
}

TEST_F(EndpointEngineTest, WhatIsOverCantBeCancelled) {
  Result result;
  const EventEngine::ConnectionHandle handle = Connect(result, Listen(5));
  EXPECT_TRUE(result.Wait().ok());
  EXPECT_FALSE(engine->CancelConnect(handle));
  EXPECT_FALSE(engine->CancelConnect(EventEngine::ConnectionHandle::kInvalid));
}

// What it has of its parent's is the parent's: its attempt goes on.
TEST_F(EndpointEngineTest, AForkedChildCancelsNothing) {
  Result result;
  const EventEngine::ConnectionHandle handle = Connect(result, Silent());
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);
    engine->CancelConnect(handle);
    engine.reset();
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  std::thread accepting([this] {
    UniqueFd accepted;
    do {
      accepted.reset(accept(listener.get(), nullptr, nullptr));
    } while (accepted.valid());
  });
  EXPECT_TRUE(result.Wait().ok());
  shutdown(listener.get(), SHUT_RDWR);
  accepting.join();
}

// Cancelled, or called: never both, never neither.
TEST_F(EndpointEngineTest, CancellingMeetsTheConnection) {
  const EventEngine::ResolvedAddress address = Listen(128);
  for (int i = 0; i < 200; ++i) {
    Result result;
    const EventEngine::ConnectionHandle handle = Connect(result, address);
    if (engine->CancelConnect(handle)) {
      EXPECT_EQ(result.calls(), 0);
    } else {
      EXPECT_TRUE(result.Wait().ok());
    }
    const UniqueFd accepted(accept(listener.get(), nullptr, nullptr));
  }
}

TEST_F(EndpointEngineTest, RunsByGrpcsThreads) {
  SteadyNotification ran;
  std::thread::id id;
  engine->Run([&] {
    id = std::this_thread::get_id();
    ran.Notify();
  });
  ASSERT_TRUE(ran.WaitFor(kSoon));
  EXPECT_NE(id, std::this_thread::get_id());
  const EventEngine::TaskHandle handle =
      engine->RunAfter(std::chrono::hours(1), [] {});
  EXPECT_TRUE(engine->Cancel(handle));
}

// A channel by streams: those that it asks for come when the test wants it.
class StreamEngineTest : public EndpointEngineTest {
 protected:
  StreamEngineTest() {
    engine = std::make_shared<EndpointEngine>(
        grpc_event_engine::experimental::GetDefaultEventEngine(),
        [this](StreamCallback opened) { opened_ = std::move(opened); });
  }

  // Whoever gets it closes it, or it is the other end's.
  UniqueFd Open() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
        0);
    opened_(std::make_unique<SocketStream>(UniqueFd(fds[0]), IoPlace::Take()));
    return UniqueFd(fds[1]);
  }

  static bool IsClosed(const UniqueFd& peer) {
    pollfd watched = {peer.get(), POLLRDHUP, 0};
    return poll(&watched, 1, 20000) == 1;
  }

  StreamCallback opened_;
};

TEST_F(StreamEngineTest, ConnectsByAStream) {
  Result result;
  const EventEngine::ResolvedAddress nowhere = UnixAddress("/dev/null/nowhere");
  Connect(result, nowhere);
  const UniqueFd peer = Open();
  Connected connected = result.Wait();
  ASSERT_TRUE(connected.ok()) << connected.status();
  EXPECT_EQ((*connected)->GetPeerAddress().size(), nowhere.size());
  EXPECT_EQ(WriteAll(**connected, "hello"), absl::OkStatus());
  char text[5] = {};
  EXPECT_EQ(read(peer.get(), text, sizeof(text)), 5);
  connected->reset();
  EXPECT_TRUE(IsClosed(peer));
}

TEST_F(StreamEngineTest, WhyThereIsNoneIsTold) {
  Result result;
  Connect(result, UnixAddress("/dev/null/nowhere"));
  opened_(absl::UnavailableError("not today"));
  EXPECT_EQ(result.Wait().status(), absl::UnavailableError("not today"));
}

TEST_F(StreamEngineTest, AStreamThatComesTooLateIsClosed) {
  Result result;
  Connect(result, UnixAddress("/dev/null/nowhere"), absl::Milliseconds(10));
  EXPECT_EQ(result.Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(IsClosed(Open()));
  EXPECT_EQ(result.calls(), 1);
}

TEST_F(StreamEngineTest, AStreamThatWasCancelledIsClosed) {
  Result result;
  const auto handle = Connect(result, UnixAddress("/dev/null/nowhere"));
  EXPECT_TRUE(engine->CancelConnect(handle));
  EXPECT_FALSE(engine->CancelConnect(handle));
  EXPECT_TRUE(IsClosed(Open()));
  EXPECT_EQ(result.calls(), 0);
}

}  // namespace
}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>
#include <grpc/event_engine/memory_request.h>
#include <grpc/slice.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/steady_condition.h"
#include "tests/unit/endpoint/endpoint_test_support.h"

namespace goplugin::internal {
namespace {

constexpr size_t kMuch = size_t{32} << 20;

std::string Much() {
  std::string text(kMuch, '\0');
  for (size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<char>(i * 7 + i / 251);
  }
  return text;
}

std::string ReadFd(int fd, size_t size) {
  std::string text(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t count = read(fd, text.data() + done, size - done);
    if (count <= 0) break;
    done += static_cast<size_t>(count);
  }
  text.resize(done);
  return text;
}

bool WriteFd(int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t count =
        send(fd, text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (count <= 0) return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

class SocketEndpointTest : public SocketTest {};

TEST_F(SocketEndpointTest, ReadsWhatComesLater) {
  SliceBuffer buffer;
  Operation read;
  ASSERT_FALSE(endpoint->Read(read.Callback(), &buffer, {}));
  ASSERT_TRUE(WriteFd(peer.get(), "hello"));
  ASSERT_TRUE(read.Wait());
  EXPECT_EQ(read.status(), absl::OkStatus());
  EXPECT_EQ(TextOf(buffer), "hello");
}

TEST_F(SocketEndpointTest, ReadsWhatCameBefore) {
  ASSERT_TRUE(WriteFd(peer.get(), "hello"));
  EXPECT_EQ(ReadAll(*endpoint, 5), "hello");
}

TEST_F(SocketEndpointTest, WritesAtOnce) {
  SliceBuffer data;
  AddTo(data, "hel");
  AddTo(data, "");
  AddTo(data, "lo");
  Operation write;
  EXPECT_TRUE(endpoint->Write(write.Callback(), &data, {}));
  EXPECT_EQ(ReadFd(peer.get(), 5), "hello");
  EXPECT_EQ(write.calls(), 0);
}

TEST_F(SocketEndpointTest, WritesNothingAtOnce) {
  SliceBuffer none;
  Operation write;
  EXPECT_TRUE(endpoint->Write(write.Callback(), &none, {}));
  SliceBuffer empty;
  AddTo(empty, "");
  EXPECT_TRUE(endpoint->Write(write.Callback(), &empty, {}));
}

TEST_F(SocketEndpointTest, ManySlices) {
  std::string all;
  SliceBuffer data;
  for (int i = 0; i < 1000; ++i) {
    const std::string part = absl::StrCat("part ", i, ";");
    AddTo(data, part);
    all += part;
  }
  Operation write;
  EXPECT_TRUE(endpoint->Write(write.Callback(), &data, {}));
  EXPECT_EQ(ReadFd(peer.get(), all.size()), all);
}

TEST_F(SocketEndpointTest, WhatTheSocketDoesNotTakeIsWrittenLater) {
  const std::string much = Much();
  SliceBuffer data;
  AddTo(data, much);
  Operation write;
  ASSERT_FALSE(endpoint->Write(write.Callback(), &data, {}));
  EXPECT_EQ(ReadFd(peer.get(), much.size()), much);
  ASSERT_TRUE(write.Wait());
  EXPECT_EQ(write.status(), absl::OkStatus());
}

TEST_F(SocketEndpointTest, MuchBothWays) {
  const std::string much = Much();
  std::thread writer([&] { EXPECT_TRUE(WriteFd(peer.get(), much)); });
  std::thread reader([&] { EXPECT_EQ(ReadFd(peer.get(), kMuch), much); });
  std::thread out(
      [&] { EXPECT_EQ(WriteAll(*endpoint, much), absl::OkStatus()); });
  EXPECT_EQ(ReadAll(*endpoint, much.size()), much);
  writer.join();
  reader.join();
  out.join();
}

TEST_F(SocketEndpointTest, HintsOfAnySizeBringWhatThereIs) {
  for (const int64_t hint : {int64_t{-1}, int64_t{0}, int64_t{1},
                             int64_t{1} << 20, int64_t{1} << 62}) {
    SliceBuffer buffer;
    Operation read;
    EventEngine::Endpoint::ReadArgs args;
    args.set_read_hint_bytes(hint);
    ASSERT_FALSE(endpoint->Read(read.Callback(), &buffer, args));
    ASSERT_TRUE(WriteFd(peer.get(), "hello"));
    ASSERT_TRUE(read.Wait());
    EXPECT_EQ(TextOf(buffer), "hello") << hint;
    EXPECT_EQ(buffer.Count(), 0u);
  }
}

// gRPC keeps what was read until somebody wants it.
TEST_F(SocketEndpointTest, WhatIsHeldIsLittleMoreThanWhatCame) {
  for (const size_t size : {size_t{1}, size_t{44}, size_t{1000}, size_t{3000},
                            size_t{5000}, size_t{10000}, size_t{40000}}) {
    const std::string piece(size, 'x');
    std::vector<SliceBuffer> held(
        std::min((size_t{1} << 20) / size, size_t{200}));
    const size_t before = mallinfo2().uordblks;
    size_t came = 0;
    for (SliceBuffer& buffer : held) {
      ASSERT_TRUE(WriteFd(peer.get(), piece));
      Operation read;
      if (!endpoint->Read(read.Callback(), &buffer, {})) {
        ASSERT_TRUE(read.Wait());
        ASSERT_EQ(read.status(), absl::OkStatus());
      }
      came += buffer.Length();
    }
    EXPECT_LT(mallinfo2().uordblks, before + 5 * came / 2 + 100000) << size;
    for (SliceBuffer& buffer : held) came -= TextOf(buffer).size();
    EXPECT_EQ(came, 0u);
    // The rest of the last pieces.
    Connect();
  }
}

// Byte for byte they are not held one by one.
TEST_F(SocketEndpointTest, ATrickleIsHeldTogether) {
  constexpr int kBytes = 30000;
  SliceBuffer held;
  const size_t before = mallinfo2().uordblks;
  for (int i = 0; i < kBytes; ++i) {
    ASSERT_TRUE(WriteFd(peer.get(), "x"));
    EventEngine::Endpoint::ReadArgs args;
    args.set_read_hint_bytes(1 << 14);
    SliceBuffer buffer;
    Operation read;
    if (!endpoint->Read(read.Callback(), &buffer, std::move(args))) {
      ASSERT_TRUE(read.Wait());
    }
    grpc_slice_buffer_move_into(buffer.c_slice_buffer(), held.c_slice_buffer());
  }
  EXPECT_EQ(held.Length(), size_t{kBytes});
  EXPECT_LT(mallinfo2().uordblks, before + 5 * kBytes + 100000);
}

// What comes in one slice does not change what has come in it.
TEST_F(SocketEndpointTest, WhatIsHeldStaysAsItCame) {
  std::vector<SliceBuffer> held(300);
  std::string all;
  std::string came;
  for (size_t i = 0; i < held.size(); ++i) {
    std::string piece = absl::StrCat("piece ", i, ";");
    if (i % 10 == 9) piece.append(i * 40, 'x');
    all += piece;
    ASSERT_TRUE(WriteFd(peer.get(), piece));
    Operation read;
    if (!endpoint->Read(read.Callback(), &held[i], {})) {
      ASSERT_TRUE(read.Wait());
    }
  }
  for (SliceBuffer& buffer : held) came += TextOf(buffer);
  came += ReadAll(*endpoint, all.size() - came.size());
  EXPECT_TRUE(came == all);
}

TEST_F(SocketEndpointTest, TheLastWordsOfAPeerAreRead) {
  const std::string last(100000, 'x');
  ASSERT_TRUE(WriteFd(peer.get(), last));
  peer.reset();
  EXPECT_EQ(ReadAll(*endpoint, last.size()), last);
  std::string none;
  EXPECT_EQ(ReadSome(*endpoint, none).code(), absl::StatusCode::kUnavailable);
}

TEST_F(SocketEndpointTest, APeerThatGoesEndsTheRead) {
  SliceBuffer buffer;
  Operation read;
  ASSERT_FALSE(endpoint->Read(read.Callback(), &buffer, {}));
  peer.reset();
  ASSERT_TRUE(read.Wait());
  EXPECT_EQ(read.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(buffer.Length(), 0u);
}

TEST_F(SocketEndpointTest, APeerThatWritesNoMoreIsStillWrittenTo) {
  shutdown(peer.get(), SHUT_WR);
  std::string none;
  EXPECT_FALSE(ReadSome(*endpoint, none).ok());
  EXPECT_EQ(WriteAll(*endpoint, "hello"), absl::OkStatus());
  EXPECT_EQ(ReadFd(peer.get(), 5), "hello");
}

TEST_F(SocketEndpointTest, APeerThatGoesEndsTheWrite) {
  SliceBuffer data;
  AddTo(data, Much());
  Operation write;
  ASSERT_FALSE(endpoint->Write(write.Callback(), &data, {}));
  peer.reset();
  ASSERT_TRUE(write.Wait());
  EXPECT_EQ(write.status().code(), absl::StatusCode::kUnavailable);
  // And those after.
  EXPECT_EQ(WriteAll(*endpoint, "x").code(), absl::StatusCode::kUnavailable);
}

TEST_F(SocketEndpointTest, ItsEndCallsBackWhatIsPendingOnce) {
  SliceBuffer buffer;
  SliceBuffer data;
  AddTo(data, Much());
  Operation read;
  Operation write;
  ASSERT_FALSE(endpoint->Read(read.Callback(), &buffer, {}));
  ASSERT_FALSE(endpoint->Write(write.Callback(), &data, {}));
  endpoint.reset();
  ASSERT_TRUE(read.Wait());
  ASSERT_TRUE(write.Wait());
  EXPECT_EQ(read.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(write.status().code(), absl::StatusCode::kCancelled);
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_EQ(read.calls(), 1);
  EXPECT_EQ(write.calls(), 1);
}

TEST_F(SocketEndpointTest, ItsEndIsSeenByThePeer) {
  endpoint.reset();
  EXPECT_EQ(ReadFd(peer.get(), 1), "");
}

TEST_F(SocketEndpointTest, ItMayEndInACallback) {
  SliceBuffer buffer;
  SliceBuffer data;
  AddTo(data, Much());
  SteadyNotification over;
  Operation write;
  ASSERT_FALSE(endpoint->Read(
      [&](const absl::Status& status) {
        EXPECT_EQ(status, absl::OkStatus());
        endpoint.reset();
        over.Notify();
      },
      &buffer, {}));
  ASSERT_FALSE(endpoint->Write(write.Callback(), &data, {}));
  ASSERT_TRUE(WriteFd(peer.get(), "x"));
  ASSERT_TRUE(over.WaitFor(kSoon));
  ASSERT_TRUE(write.Wait());
  EXPECT_EQ(write.status().code(), absl::StatusCode::kCancelled);
}

// As gRPC's where a quota is used up: connections end, that somebody else gets
// memory.
class EndingAllocator final
    : public grpc_event_engine::experimental::internal::MemoryAllocatorImpl {
 public:
  using MemoryRequest = grpc_event_engine::experimental::MemoryRequest;

  explicit EndingAllocator(std::function<void()> end) : end_(std::move(end)) {}

  size_t Reserve(MemoryRequest request) override { return request.max(); }
  grpc_slice MakeSlice(MemoryRequest request) override {
    end_();
    return grpc_slice_malloc(request.max());
  }
  void Release(size_t /*size*/) override {}
  void Shutdown() override {}

 private:
  const std::function<void()> end_;
};

TEST_F(SocketEndpointTest, ItMayEndWhereItsMemoryIsAskedFor) {
  for (int i = 0; i < 20; ++i) {
    const bool comes_first = i % 2 == 0;
    int fds[2] = {-1, -1};
    ASSERT_EQ(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
        0);
    peer.reset(fds[1]);
    endpoint = MakeSocketEndpoint(
        UniqueFd(fds[0]), IoPlace::Take(),
        grpc_event_engine::experimental::MemoryAllocator(
            std::make_shared<EndingAllocator>([this] { endpoint.reset(); })));
    SliceBuffer buffer;
    Operation read;
    if (comes_first) {
      ASSERT_TRUE(WriteFd(peer.get(), "hello"));
      absl::SleepFor(absl::Milliseconds(i));
    }
    const bool at_once = endpoint->Read(read.Callback(), &buffer, {});
    ASSERT_TRUE(comes_first || WriteFd(peer.get(), "hello"));
    ASSERT_TRUE(at_once || read.Wait());
    EXPECT_EQ(endpoint, nullptr);
    EXPECT_EQ(read.calls(), at_once ? 0 : 1);
    char byte = 0;
    EXPECT_EQ(recv(peer.get(), &byte, 1, 0), 0);
  }
}

TEST_F(SocketEndpointTest, ACallbackMayReadAgain) {
  constexpr int kRounds = 1000;
  SliceBuffer buffer;
  SteadyNotification over;
  int rounds = 0;
  std::function<void(const absl::Status&)> on_read =
      [&](const absl::Status& status) {
        ASSERT_EQ(status, absl::OkStatus());
        do {
          buffer.Clear();
          if (++rounds == kRounds) return over.Notify();
          ASSERT_EQ(send(peer.get(), "x", 1, MSG_NOSIGNAL), 1);
        } while (endpoint->Read(on_read, &buffer, {}));
      };
  ASSERT_FALSE(endpoint->Read(on_read, &buffer, {}));
  ASSERT_TRUE(WriteFd(peer.get(), "x"));
  EXPECT_TRUE(over.WaitFor(kSoon));
}

// An end at any moment of the other side's traffic.
TEST_F(SocketEndpointTest, ItsEndMeetsWhatComes) {
  for (int i = 0; i < 500; ++i) {
    Connect();
    SliceBuffer buffer;
    Operation read;
    const bool pending = !endpoint->Read(read.Callback(), &buffer, {});
    std::thread writer([&] { WriteFd(peer.get(), "hello"); });
    endpoint.reset();
    if (pending) {
      ASSERT_TRUE(read.Wait());
      EXPECT_EQ(read.status().ok(), buffer.Length() != 0);
    }
    writer.join();
  }
}

TEST_F(SocketEndpointTest, AFloodDoesNotHoldUpTheOthers) {
  std::atomic<bool> stop{false};
  std::vector<UniqueFd> floods;
  std::vector<std::unique_ptr<EventEngine::Endpoint>> flooded;
  std::vector<std::thread> threads;
  // One on each io thread at least.
  for (int i = 0; i < 4; ++i) {
    int fds[2] = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    flooded.push_back(Wrap(UniqueFd(fds[0])));
    floods.emplace_back(fds[1]);
    threads.emplace_back([&stop, fd = fds[1]] {
      const std::string flood(65536, 'x');
      while (!stop && WriteFd(fd, flood)) {
      }
    });
  }
  struct Reader {
    EventEngine::Endpoint* endpoint;
    SliceBuffer buffer;
    void Go() {
      do {
        buffer.Clear();
      } while (endpoint->Read(
          [this](const absl::Status& status) {
            if (status.ok()) Go();
          },
          &buffer, {}));
    }
  };
  std::vector<std::unique_ptr<Reader>> readers;
  for (auto& endpoint : flooded) {
    readers.push_back(std::make_unique<Reader>());
    readers.back()->endpoint = endpoint.get();
    readers.back()->Go();
  }
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(WriteFd(peer.get(), "hello"));
    EXPECT_EQ(ReadAll(*endpoint, 5), "hello");
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  // Their callbacks use the readers.
  floods.clear();
  absl::SleepFor(absl::Milliseconds(100));
}

TEST_F(SocketEndpointTest, AForkedChildDoesNothing) {
  SliceBuffer buffer;
  Operation read;
  ASSERT_FALSE(endpoint->Read(read.Callback(), &buffer, {}));
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);
    SliceBuffer data;
    AddTo(data, "child");
    endpoint->Write([](const absl::Status&) {}, &data, {});
    endpoint.reset();
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  // Neither ended nor written to.
  EXPECT_EQ(WriteAll(*endpoint, "hello"), absl::OkStatus());
  EXPECT_EQ(ReadFd(peer.get(), 5), "hello");
  ASSERT_TRUE(WriteFd(peer.get(), "hello"));
  ASSERT_TRUE(read.Wait());
  EXPECT_EQ(TextOf(buffer), "hello");
}

TEST_F(SocketEndpointTest, TheEndIsSeenWhereAForkedChildHasTheSocketToo) {
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  endpoint.reset();
  EXPECT_EQ(ReadFd(peer.get(), 1), "");
  kill(child, SIGKILL);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

TEST_F(SocketEndpointTest, ManyAtOnce) {
  constexpr int kMany = 300;
  std::vector<UniqueFd> peers;
  std::vector<std::unique_ptr<EventEngine::Endpoint>> endpoints;
  for (int i = 0; i < kMany; ++i) {
    int fds[2] = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    endpoints.push_back(Wrap(UniqueFd(fds[0])));
    peers.emplace_back(fds[1]);
  }
  for (int i = 0; i < kMany; ++i) {
    const std::string text = absl::StrCat("number ", i);
    const auto at = static_cast<size_t>(i);
    ASSERT_TRUE(WriteFd(peers[at].get(), text));
    EXPECT_EQ(ReadAll(*endpoints[at], text.size()), text);
    EXPECT_EQ(WriteAll(*endpoints[at], text), absl::OkStatus());
    EXPECT_EQ(ReadFd(peers[at].get(), text.size()), text);
  }
}

using SocketEndpointDeathTest = SocketEndpointTest;

TEST_F(SocketEndpointDeathTest, TwoReadsAtOnceAreAMistake) {
  EXPECT_DEATH(
      {
        Connect();
        SliceBuffer buffer;
        static_cast<void>(
            endpoint->Read([](const absl::Status&) {}, &buffer, {}));
        static_cast<void>(
            endpoint->Read([](const absl::Status&) {}, &buffer, {}));
      },
      "");
}

}  // namespace
}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS

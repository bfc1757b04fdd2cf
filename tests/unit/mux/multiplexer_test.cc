// Two multiplexers at the ends of one connection, and sockets of this process
// on both sides of them.

#include "goplugin/internal/mux/multiplexer.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "tests/support/loop/run_on_loop.h"
#include "tests/unit/mux/sockets.h"

namespace goplugin::internal {
namespace {

constexpr int kPatienceMs = 20000;
constexpr std::uint32_t kService = 7;

bool Ready(int socket, short events, int timeout_ms = kPatienceMs) {
  pollfd descriptor = {socket, events, 0};
  return poll(&descriptor, 1, timeout_ms) > 0;
}

// Everything, waiting for room.
void Write(int socket, absl::string_view bytes) {
  while (!bytes.empty()) {
    ASSERT_TRUE(Ready(socket, POLLOUT));
    const ssize_t count =
        send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) continue;
    ASSERT_GT(count, 0) << strerror(errno);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

// As many bytes as it takes before nothing is taken any more for a while.
size_t WriteUntilFull(int socket) {
  const std::string bytes(16384, 'x');
  size_t total = 0;
  while (Ready(socket, POLLOUT, 200)) {
    const ssize_t count =
        send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) total += static_cast<size_t>(count);
  }
  return total;
}

// That many bytes, or what came before the end.
std::string Read(int socket, size_t size) {
  std::string bytes;
  char piece[65536];
  while (bytes.size() < size && Ready(socket, POLLIN)) {
    const ssize_t count =
        recv(socket, piece, std::min(sizeof piece, size - bytes.size()), 0);
    if (count <= 0) break;
    bytes.append(piece, static_cast<size_t>(count));
  }
  return bytes;
}

// Whether the other side has ended the connection.
bool AtEnd(int socket) {
  char byte = 0;
  return Ready(socket, POLLIN) && recv(socket, &byte, 1, 0) <= 0;
}

bool Comes(const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + absl::Milliseconds(kPatienceMs);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

// kUnknown for OK.
Reason ReasonOf(const absl::Status& status) {
  return GetErrorDetails(status).value_or(ErrorDetails()).reason;
}

class MultiplexerTest : public ::testing::TestWithParam<StreamKind> {
 protected:
  void SetUp() override {
    std::string pattern = absl::StrCat(
        std::filesystem::temp_directory_path().string(), "/muxXXXXXX");
    directory_ = mkdtemp(pattern.data());
    host_ = Make(YamuxRole::kClient, "plugin", nullptr);
    plugin_ = Make(YamuxRole::kServer, "host", main_server_.take());
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    host_->Start(UniqueFd(ends[0]));
    plugin_->Start(UniqueFd(ends[1]));
    // Knocks must not overtake the streams before them: they have a stream of
    // their own, as the broker's have.
    std::tie(host_talk_, plugin_talk_) = Join();
    Introduce(*host_, host_talk_);
    Introduce(*plugin_, plugin_talk_);
    threads_.emplace_back([this] { Hear(*host_, host_talk_); });
    threads_.emplace_back([this] { Hear(*plugin_, plugin_talk_); });
  }

  void TearDown() override {
    OnLoop([this] {
      host_->End(absl::CancelledError("the test is over"));
      plugin_->End(absl::CancelledError("the test is over"));
    });
    for (std::thread& thread : threads_) thread.join();
    std::filesystem::remove_all(directory_);
  }

  void OnLoop(const std::function<void()>& task) {
    testing::RunOnLoop(loop_, task);
  }

  std::shared_ptr<Multiplexer> Make(YamuxRole role, std::string peer,
                                    Multiplexer::Take main_server) {
    Multiplexer::Options options;
    options.role = role;
    options.peer = std::move(peer);
    options.main_server = std::move(main_server);
    options.place = PlaceFor(GetParam());
    options.make_door = DoorsIn(directory_);
    options.warn = [this](std::string text) {
      MutexLock lock(mutex_);
      absl::StrAppend(&warnings_, text, "\n");
    };
    return Multiplexer::Create(loop_, std::move(options));
  }

  // One message of the broker's stream.
  struct Message {
    enum Kind { kKnock, kAck, kRefusal } kind;
    std::uint32_t id;
  };

  static void Introduce(Multiplexer& multiplexer, const UniqueFd& talk) {
    const auto say = [socket = talk.get()](Message message) {
      Write(socket, absl::string_view(reinterpret_cast<const char*>(&message),
                                      sizeof message));
    };
    Multiplexer::Messages messages;
    messages.knock = [say](std::uint32_t id) {
      say({Message::kKnock, id});
      return absl::OkStatus();
    };
    messages.answer = [say](std::uint32_t id, const std::string& error) {
      say({error.empty() ? Message::kAck : Message::kRefusal, id});
    };
    multiplexer.SetMessages(std::move(messages));
  }

  // Until the stream's end.
  static void Hear(Multiplexer& multiplexer, const UniqueFd& talk) {
    Message message;
    while (true) {
      const std::string bytes = Read(talk.get(), sizeof message);
      if (bytes.size() < sizeof message) return;
      std::memcpy(&message, bytes.data(), sizeof message);
      if (message.kind == Message::kKnock) {
        multiplexer.OnKnock(message.id);
      } else {
        multiplexer.OnAnswer(message.id,
                             message.kind == Message::kAck ? "" : "refused");
      }
    }
  }

  static std::shared_ptr<Door> OpenDoor(Multiplexer& from, std::uint32_t id) {
    auto door = from.OpenDoor(id);
    EXPECT_TRUE(door.ok()) << door.status();
    return door.ok() ? *std::move(door) : nullptr;
  }

  std::shared_ptr<Door> OpenMainDoor(Multiplexer& from) const {
    auto door = from.OpenMainDoor(GetParam() == StreamKind::kSockets
                                      ? *DoorsIn(directory_)()
                                      : DoorSocket());
    EXPECT_TRUE(door.ok()) << door.status();
    return door.ok() ? *std::move(door) : nullptr;
  }

  static UniqueFd Enter(Door& door) { return EnterBy(door); }

  // The two ends of one stream to the main server.
  std::pair<UniqueFd, UniqueFd> Join() {
    if (main_door_ == nullptr) main_door_ = OpenMainDoor(*host_);
    UniqueFd here = Enter(*main_door_);
    UniqueFd there = main_server_.Accept();
    EXPECT_TRUE(here.valid() && there.valid());
    return {std::move(here), std::move(there)};
  }

  std::string warnings() {
    MutexLock lock(mutex_);
    return warnings_;
  }

  EventLoop loop_;
  std::string directory_;
  Server main_server_;
  std::shared_ptr<Multiplexer> host_;
  std::shared_ptr<Multiplexer> plugin_;
  std::shared_ptr<Door> main_door_;
  UniqueFd host_talk_;
  UniqueFd plugin_talk_;
  std::vector<std::thread> threads_;
  absl::Mutex mutex_;
  std::string warnings_ ABSL_GUARDED_BY(mutex_);
};

TEST_P(MultiplexerTest, BytesGoBothWays) {
  auto [here, there] = Join();
  Write(here.get(), "ping");
  EXPECT_EQ(Read(there.get(), 4), "ping");
  Write(there.get(), "pong");
  EXPECT_EQ(Read(here.get(), 4), "pong");
}

TEST_P(MultiplexerTest, ServicesOfEitherSide) {
  for (Multiplexer* dialler : {host_.get(), plugin_.get()}) {
    Multiplexer& server = dialler == host_.get() ? *plugin_ : *host_;
    Server accepting;
    server.Serve(kService, accepting.take());
    auto door = OpenDoor(*dialler, kService);
    const UniqueFd here = Enter(*door);
    const UniqueFd there = accepting.Accept();
    ASSERT_TRUE(there.valid());
    Write(here.get(), "hello");
    EXPECT_EQ(Read(there.get(), 5), "hello");
    EXPECT_TRUE(door->trouble().ok()) << door->trouble();
  }
}

TEST_P(MultiplexerTest, AServiceMaySpeakBeforeItsVisitorIsThere) {
  Server server;
  plugin_->Serve(kService, server.take());
  auto door = OpenDoor(*host_, kService);
  const UniqueFd there = server.Accept();
  ASSERT_TRUE(there.valid()) << "the knock does not wait for a visitor";
  Write(there.get(), "welcome");
  const UniqueFd here = Enter(*door);
  EXPECT_EQ(Read(here.get(), 7), "welcome");
  Write(here.get(), "thanks");
  EXPECT_EQ(Read(there.get(), 6), "thanks");
  // The next one gets a stream of its own.
  const UniqueFd second = Enter(*door);
  EXPECT_TRUE(server.Accept().valid());
}

TEST_P(MultiplexerTest, AVisitorWhoDoesNotCome) {
  Server server;
  plugin_->Serve(kService, server.take());
  auto door = OpenDoor(*host_, kService);
  const UniqueFd there = server.Accept();
  ASSERT_TRUE(there.valid());
  door.reset();
  EXPECT_TRUE(AtEnd(there.get()));
}

TEST_P(MultiplexerTest, ManyStreamsAreNotMixedUp) {
  constexpr int kServices = 30;
  std::vector<Server> servers(kServices);
  std::vector<std::shared_ptr<Door>> doors;
  std::vector<UniqueFd> visitors;
  for (std::uint32_t id = 0; id < kServices; ++id) {
    plugin_->Serve(id, servers[id].take());
    doors.push_back(OpenDoor(*host_, id));
  }
  // All at once, and some for the main server between them.
  main_door_ = OpenMainDoor(*host_);
  std::vector<UniqueFd> others;
  for (int id = 0; id < kServices; ++id) {
    visitors.push_back(Enter(*doors[id]));
    others.push_back(Enter(*main_door_));
    Write(visitors.back().get(), absl::StrCat("for ", 10 + id));
  }
  for (int id = 0; id < kServices; ++id) {
    const UniqueFd there = servers[id].Accept();
    ASSERT_TRUE(there.valid()) << id;
    EXPECT_EQ(Read(there.get(), 6), absl::StrCat("for ", 10 + id));
    EXPECT_TRUE(main_server_.Accept().valid());
  }
}

TEST_P(MultiplexerTest, TheEndOfOneDirectionIsNotThatOfTheOther) {
  if (GetParam() == StreamKind::kStreams) GTEST_SKIP() << "gRPC has no use";
  auto [here, there] = Join();
  Write(here.get(), "last words");
  shutdown(here.get(), SHUT_WR);
  EXPECT_EQ(Read(there.get(), 1000), "last words");
  EXPECT_TRUE(AtEnd(there.get()));
  const std::string answer(1 << 20, 'a');
  Write(there.get(), answer.substr(0, 1000));
  EXPECT_EQ(Read(here.get(), 1000).size(), 1000u);
  there.reset();
  EXPECT_TRUE(AtEnd(here.get()));
}

TEST_P(MultiplexerTest, AClosedSocketClosesTheOtherEnd) {
  auto [here, there] = Join();
  there.reset();
  EXPECT_TRUE(AtEnd(here.get()));
}

TEST_P(MultiplexerTest, WhoReadsSlowlyStopsNobodyElse) {
  auto [slow, slow_there] = Join();
  auto [quick, quick_there] = Join();
  const size_t stuck = WriteUntilFull(slow.get());
  // Two sockets' buffers, the window, and what one of them holds: bounded.
  EXPECT_GT(stuck, size_t{256} * 1024);
  EXPECT_LT(stuck, size_t{4} * 1024 * 1024);
  for (int i = 0; i < 200; ++i) {
    Write(quick.get(), std::string(10000, 'q'));
    ASSERT_EQ(Read(quick_there.get(), 10000).size(), 10000u);
    Write(quick_there.get(), "!");
    ASSERT_EQ(Read(quick.get(), 1), "!");
  }
  EXPECT_EQ(Read(slow_there.get(), stuck).size(), stuck) << "nothing is lost";
}

TEST_P(MultiplexerTest, MuchDataInOrder) {
  auto [here, there] = Join();
  std::string bytes(size_t{8} * 1024 * 1024, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(i * 2654435761U >> 13U);
  }
  std::thread writer([&, socket = here.get()] { Write(socket, bytes); });
  EXPECT_TRUE(Read(there.get(), bytes.size()) == bytes);
  writer.join();
}

TEST_P(MultiplexerTest, WhatHasArrivedOutlivesTheConnection) {
  auto [here, there] = Join();
  // More than the socket takes, less than a window beside it.
  const std::string bytes(size_t{300} * 1024, 'b');
  Write(there.get(), bytes);
  there.reset();
  // Nobody has more to say on that side.
  shutdown(plugin_talk_.get(), SHUT_WR);
  absl::Notification drained;
  plugin_->Drain(absl::Seconds(20), [&] { drained.Notify(); });
  drained.WaitForNotification();
  OnLoop([this] { plugin_->End(absl::CancelledError("gone")); });
  EXPECT_EQ(Read(here.get(), bytes.size()).size(), bytes.size());
  EXPECT_TRUE(AtEnd(here.get()));
}

TEST_P(MultiplexerTest, ADoorIsForThisProcessOnly) {
  if (GetParam() == StreamKind::kStreams) GTEST_SKIP() << "there is no socket";
  main_door_ = OpenMainDoor(*host_);
  const std::string name = main_door_->endpoint().address;
  const pid_t child = fork();
  if (child == 0) {
    const UniqueFd socket = ConnectTo(name);
    char byte = 0;
    const bool refused = !socket.valid() || !Ready(socket.get(), POLLIN) ||
                         recv(socket.get(), &byte, 1, 0) <= 0;
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Comes(
      [this] { return absl::StrContains(warnings(), "another process"); }));
  Join();
}

TEST_P(MultiplexerTest, ADoorGoesWithItsSocket) {
  auto door = OpenDoor(*host_, kService);
  const UniqueFd visitor = Enter(*door);
  door.reset();
  EXPECT_TRUE(AtEnd(visitor.get()));
  // Its knock is forgotten: others need not wait for the answer.
  Join();
}

TEST_P(MultiplexerTest, TheEndTurnsVisitorsAway) {
  auto door = OpenDoor(*host_, kService);  // which nobody serves
  const UniqueFd visitor = Enter(*door);
  EXPECT_TRUE(Comes(
      [&] { return ReasonOf(door->trouble()) == Reason::kBrokerTimeout; }));
  OnLoop([this] { plugin_->End(absl::CancelledError("gone")); });
  EXPECT_TRUE(AtEnd(visitor.get()));
  EXPECT_EQ(ReasonOf(door->trouble()), Reason::kConnect);
  const UniqueFd late = Enter(*door);
  EXPECT_TRUE(AtEnd(late.get()));
}

TEST_P(MultiplexerTest, AfterItsEndNothingIsOpened) {
  OnLoop([this] { host_->End(absl::CancelledError("over")); });
  EXPECT_EQ(host_->OpenDoor(kService).status().message(), "over");
}

// The other side may send faster than the loop gets to it.
TEST_P(MultiplexerTest, MessagesOnTheirWayHaveABound) {
  absl::Notification busy;
  absl::Notification released;
  loop_.Post([&] {
    busy.Notify();
    released.WaitForNotification();
  });
  busy.WaitForNotification();
  std::atomic<size_t> taken{0};
  std::thread stream([&] {
    for (size_t i = 0; i < Multiplexer::kMaxMessages + 10; ++i, ++taken) {
      host_->OnAnswer(kService, "unasked");
    }
  });
  EXPECT_TRUE(Comes([&] { return taken == Multiplexer::kMaxMessages; }));
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_EQ(taken, Multiplexer::kMaxMessages);
  released.Notify();
  stream.join();
  EXPECT_EQ(taken, Multiplexer::kMaxMessages + 10);
}

INSTANTIATE_TEST_SUITE_P(Kinds, MultiplexerTest,
                         ::testing::Values(StreamKind::kSockets,
                                           StreamKind::kStreams),
                         NameOf);

}  // namespace
}  // namespace goplugin::internal

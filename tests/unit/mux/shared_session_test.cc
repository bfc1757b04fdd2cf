// A session whose streams are used on many threads. The test is the other side,
// frame by frame, or another session.

#include "goplugin/internal/mux/shared_session.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/mux/frame.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "tests/unit/mux/frames.h"

namespace goplugin::internal {
namespace {

using StreamId = SharedSession::StreamId;

constexpr int kPatienceMs = 20000;

bool Comes(const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + absl::Milliseconds(kPatienceMs);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

bool OnIoThread() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof name);
  return absl::string_view(name) == "goplugin-io";
}

// Remembers what it was told.
class Handler final : public IoHandler {
 public:
  void OnEvents(std::uint32_t events) override {
    told_ |= events;
    if (!OnIoThread()) ++elsewhere_;
  }
  bool Told(std::uint32_t events) const { return (told_ & events) != 0; }
  // Waits for it, and forgets it.
  bool Await(std::uint32_t events) {
    if (!Comes([&] { return Told(events); })) return false;
    told_ &= ~events;
    return true;
  }
  int elsewhere() const { return elsewhere_; }

 private:
  std::atomic<std::uint32_t> told_{0};
  std::atomic<int> elsewhere_{0};
};

struct Owned {
  std::unique_ptr<ByteStream> stream;
  std::shared_ptr<Handler> handler = std::make_shared<Handler>();

  // What there is; "end" at the end.
  std::string Read(size_t most = size_t{1} << 20) const {
    std::string bytes(most, '\0');
    const iovec part = {bytes.data(), most};
    const ssize_t count = stream->Receive(&part, 1);
    if (count == 0) return "end";
    bytes.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
    return bytes;
  }
  ssize_t Write(absl::string_view bytes) const {
    const iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
    return stream->Send(&part, 1);
  }
  bool WriteAll(absl::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = Write(bytes);
      if (count > 0) {
        bytes.remove_prefix(static_cast<size_t>(count));
      } else if (errno != EAGAIN || !handler->Await(EPOLLOUT | EPOLLHUP)) {
        return false;
      }
    }
    return true;
  }
  std::string ReadAll(size_t size) const {
    std::string all;
    while (all.size() < size) {
      const std::string piece = Read();
      if (piece == "end") break;
      if (piece.empty() && !handler->Await(EPOLLIN)) break;
      all += piece;
    }
    return all;
  }
};

// A session, and what its owner was told.
class Side {
 public:
  Side(UniqueFd connection, YamuxRole role) {
    SharedSession::Callbacks callbacks;
    callbacks.on_opened = [this](StreamId id) {
      MutexLock lock(mutex_);
      opened_.push_back(id);
    };
    callbacks.on_idle = [this] { idle = true; };
    callbacks.on_taken = [this] { ++taken; };
    callbacks.on_end = [this](const absl::Status& status) {
      MutexLock lock(mutex_);
      end_ = status;
      ++ends;
    };
    session = std::make_shared<SharedSession>(
        std::move(connection), IoPlace::Take(), role, std::move(callbacks));
    session->Start();
  }
  ~Side() { session->Close(); }

  Owned Own(StreamId id) const {
    Owned owned;
    owned.stream = session->Take(id);
    EXPECT_NE(owned.stream, nullptr);
    if (owned.stream != nullptr) owned.stream->Watch(owned.handler);
    return owned;
  }
  Owned Open() const { return Own(*session->Open()); }
  Owned Accept() {
    EXPECT_TRUE(Comes([this] { return opened() > 0; }));
    return Own(TakeOpened());
  }
  size_t opened() {
    MutexLock lock(mutex_);
    return opened_.size();
  }
  StreamId TakeOpened() {
    MutexLock lock(mutex_);
    const StreamId id = opened_.front();
    opened_.erase(opened_.begin());
    return id;
  }
  absl::Status end() {
    MutexLock lock(mutex_);
    return end_;
  }

  std::shared_ptr<SharedSession> session;
  std::atomic<bool> idle{false};
  std::atomic<int> taken{0};
  std::atomic<int> ends{0};

 private:
  absl::Mutex mutex_;
  std::vector<StreamId> opened_ ABSL_GUARDED_BY(mutex_);
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
};

std::pair<UniqueFd, UniqueFd> MakePair() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The other side is the test's.
class SharedSessionTest : public ::testing::Test {
 protected:
  SharedSessionTest() {
    auto [ours, theirs] = MakePair();
    peer_ = std::move(theirs);
    side_ = std::make_unique<Side>(std::move(ours), YamuxRole::kServer);
  }

  void Say(absl::string_view bytes) const {
    while (!bytes.empty()) {
      pollfd writable = {peer_.get(), POLLOUT, 0};
      ASSERT_GT(poll(&writable, 1, kPatienceMs), 0);
      const ssize_t count =
          send(peer_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0 && errno == EAGAIN) continue;
      ASSERT_GT(count, 0);
      bytes.remove_prefix(static_cast<size_t>(count));
    }
  }

  // What has come, until the text of one frame is among it.
  std::vector<std::string> HearUntil(const std::string& frame) {
    std::vector<std::string> frames;
    const bool came = Comes([&] {
      char piece[65536];
      ssize_t count = 0;
      while ((count = recv(peer_.get(), piece, sizeof piece, 0)) > 0) {
        heard_.append(piece, static_cast<size_t>(count));
      }
      frames = DescribeFrames(heard_);
      return std::find(frames.begin(), frames.end(), frame) != frames.end();
    });
    EXPECT_TRUE(came) << frame;
    return frames;
  }

  UniqueFd peer_;
  std::string heard_;
  std::unique_ptr<Side> side_;
};

TEST_F(SharedSessionTest, HandlersAreToldOnIoThreadsOnly) {
  Say(absl::StrCat(SynBytes(1), DataBytes(1, "ahead")));
  const Owned owned = side_->Accept();
  EXPECT_TRUE(owned.handler->Await(EPOLLIN));
  EXPECT_EQ(owned.Read(), "ahead");
  owned.stream->TellAgain();
  EXPECT_TRUE(owned.handler->Await(EPOLLIN));
  Say(FrameBytes(FrameType::kWindowUpdate, kFin, 1, 0));
  EXPECT_TRUE(owned.handler->Await(EPOLLRDHUP));
  EXPECT_EQ(owned.Read(), "end");
  side_->session->Close();
  EXPECT_TRUE(owned.handler->Await(EPOLLHUP));
  EXPECT_EQ(owned.handler->elsewhere(), 0);
}

TEST_F(SharedSessionTest, WhatHasArrivedIsReadAfterAReset) {
  Say(absl::StrCat(SynBytes(1), DataBytes(1, "last words"),
                   FrameBytes(FrameType::kWindowUpdate, kRst, 1, 0)));
  const Owned owned = side_->Accept();
  EXPECT_TRUE(owned.handler->Await(EPOLLHUP));
  EXPECT_EQ(owned.Read(), "last words");
  EXPECT_EQ(owned.Read(), "end");
  EXPECT_EQ(owned.Write("x"), -1);
  EXPECT_EQ(errno, EPIPE);
}

TEST_F(SharedSessionTest, WhatHasArrivedIsReadAfterTheEnd) {
  Say(absl::StrCat(SynBytes(1), DataBytes(1, "last words")));
  const Owned owned = side_->Accept();
  peer_.reset();
  EXPECT_TRUE(owned.handler->Await(EPOLLHUP));
  EXPECT_EQ(owned.Read(), "last words");
  EXPECT_EQ(owned.Read(), "end");
  EXPECT_EQ(owned.Write("x"), -1);
  EXPECT_TRUE(Comes([this] { return side_->ends == 1; }));
  EXPECT_TRUE(side_->end().ok()) << side_->end();
  EXPECT_FALSE(side_->session->Open().ok());
}

// An owner closes its stream; what comes then is reset.
TEST_F(SharedSessionTest, AClosedStreamTakesNothing) {
  Say(SynBytes(1));
  {
    const Owned owned = side_->Accept();
    EXPECT_EQ(owned.Write("bye"), 3);
  }
  HearUntil("update FIN 1 +0");
  Say(DataBytes(1, "too late"));
  HearUntil("update RST 1 +0");
}

// A peer resets a stream and opens one of the same number while its owner is
// not there yet, or has not looked.
TEST_F(SharedSessionTest, ANumberIsNotUsedAgainWhileItsOwnerHasIt) {
  const std::string reset = FrameBytes(FrameType::kWindowUpdate, kRst, 1, 0);
  Say(absl::StrCat(SynBytes(1), DataBytes(1, "first"), reset, SynBytes(1),
                   DataBytes(1, "second")));
  HearUntil("update RST 1 +0");
  Owned first = side_->Accept();
  EXPECT_EQ(side_->opened(), 0u);
  EXPECT_EQ(first.Read(), "first");
  EXPECT_EQ(first.Read(), "end");
  // Closed, and not gone.
  first.stream->Close();
  Say(absl::StrCat(SynBytes(1), DataBytes(1, "third")));
  const Owned third = side_->Accept();
  first.stream.reset();
  EXPECT_TRUE(third.handler->Await(EPOLLIN));
  EXPECT_EQ(third.Read(), "third");
  EXPECT_EQ(third.Write("x"), 1) << "another's end is not its own";
}

TEST_F(SharedSessionTest, AFloodOfStreamsHasABound) {
  std::string flood;
  for (StreamId id = 1; id < 20000; id += 2) {
    absl::StrAppend(&flood, SynBytes(id),
                    FrameBytes(FrameType::kWindowUpdate, kRst, id, 0));
  }
  Say(flood);
  Say(FrameBytes(FrameType::kPing, kSyn, 0, 7));
  HearUntil("ping ACK 0 =7");
  EXPECT_EQ(side_->opened(), YamuxSession::kMaxTheirs);
  // They are let go as they are taken.
  for (size_t i = 0; i < YamuxSession::kMaxTheirs; ++i) side_->Accept();
  Say(SynBytes(20001));
  EXPECT_EQ(side_->Accept().Write("x"), 1);
}

TEST_F(SharedSessionTest, WhoIsNotReadStopsAtAWindow) {
  Say(SynBytes(1));
  const Owned owned = side_->Accept();
  Say(DataBytes(1, std::string(YamuxSession::kWindow, 'x')));
  Say(DataBytes(1, "x"));
  EXPECT_TRUE(Comes([this] { return side_->ends == 1; }));
  EXPECT_TRUE(absl::IsAborted(side_->end())) << side_->end();
  EXPECT_EQ(owned.ReadAll(size_t{1} << 20).size(),
            size_t{YamuxSession::kWindow});
}

TEST_F(SharedSessionTest, APeerThatReadsNothingStopsAllWriters) {
  std::vector<Owned> owned;
  for (int i = 0; i < 8; ++i) owned.push_back(side_->Open());
  const std::string bytes(size_t{1} << 20, 'y');
  size_t put = 0;
  for (const Owned& stream : owned) {
    ssize_t count = 0;
    while ((count = stream.Write(bytes)) > 0) put += static_cast<size_t>(count);
    EXPECT_EQ(errno, EAGAIN);
  }
  // What the socket holds, and what waits for it.
  EXPECT_LT(put, size_t{1} << 20);
  for (const Owned& stream : owned)
    EXPECT_FALSE(stream.handler->Told(EPOLLOUT));
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    char piece[65536];
    while (!stop) {
      pollfd readable = {peer_.get(), POLLIN, 0};
      if (poll(&readable, 1, 10) > 0) recv(peer_.get(), piece, sizeof piece, 0);
    }
  });
  // The last that had no room; the first has no window.
  EXPECT_TRUE(owned.back().handler->Await(EPOLLOUT));
  EXPECT_GT(owned.back().Write(bytes), 0);
  stop = true;
  reader.join();
}

TEST_F(SharedSessionTest, WindowsAreToldWhenTheyCome) {
  const Owned owned = side_->Open();
  const std::string bytes(YamuxSession::kWindow, 'y');
  while (owned.Write(bytes) > 0) HearUntil("update SYN 2 +0");
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_FALSE(owned.handler->Told(EPOLLOUT));
  Say(FrameBytes(FrameType::kWindowUpdate, kAck, 2, 10));
  EXPECT_TRUE(owned.handler->Await(EPOLLOUT));
  EXPECT_EQ(owned.Write(bytes), 10);
  EXPECT_EQ(side_->taken, 1);
}

TEST_F(SharedSessionTest, IdleIsWhenAllOwnersHaveClosed) {
  Say(absl::StrCat(SynBytes(1), SynBytes(3)));
  Owned first = side_->Accept();
  Owned second = side_->Accept();
  side_->session->TellWhenIdle();
  first.stream.reset();
  EXPECT_FALSE(side_->idle);
  // One that was reset has nothing to say.
  Say(FrameBytes(FrameType::kWindowUpdate, kRst, 3, 0));
  EXPECT_TRUE(second.handler->Await(EPOLLHUP));
  side_->session->TellWhenIdle();
  EXPECT_TRUE(Comes([this] { return side_->idle.load(); }));
}

TEST_F(SharedSessionTest, StreamsOutliveTheirOwnersSession) {
  Say(absl::StrCat(SynBytes(1), DataBytes(1, "hello")));
  const Owned owned = side_->Accept();
  EXPECT_TRUE(owned.handler->Await(EPOLLIN));
  side_.reset();
  EXPECT_TRUE(owned.handler->Await(EPOLLHUP));
  EXPECT_EQ(owned.Read(), "hello");
  EXPECT_EQ(owned.Read(), "end");
  HearUntil("go-away 0 =0");
}

// Both sides are sessions: every stream is written and read by threads of its
// own, and ends meet what is under way.
TEST(SharedSessionsTest, ManyStreamsOnManyThreads) {
  auto [ours, theirs] = MakePair();
  Side client(std::move(ours), YamuxRole::kClient);
  Side server(std::move(theirs), YamuxRole::kServer);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    Owned here = client.Open();
    Owned there = server.Accept();
    const auto text = std::make_shared<std::string>();
    while (text->size() < (size_t{2} << 20)) {
      absl::StrAppend(text.get(), i, ":", text->size(), ";");
    }
    const auto a = std::make_shared<Owned>(std::move(here));
    const auto b = std::make_shared<Owned>(std::move(there));
    threads.emplace_back([=] { EXPECT_TRUE(a->WriteAll(*text)); });
    threads.emplace_back([=] { EXPECT_TRUE(b->WriteAll(*text)); });
    threads.emplace_back(
        [=] { EXPECT_TRUE(a->ReadAll(text->size()) == *text); });
    threads.emplace_back(
        [=] { EXPECT_TRUE(b->ReadAll(text->size()) == *text); });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(SharedSessionsTest, EndsMeetWhatIsUnderWay) {
  for (int round = 0; round < 50; ++round) {
    auto [ours, theirs] = MakePair();
    auto client = std::make_unique<Side>(std::move(ours), YamuxRole::kClient);
    Side server(std::move(theirs), YamuxRole::kServer);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      const auto here = std::make_shared<Owned>(client->Open());
      const auto there = std::make_shared<Owned>(server.Accept());
      threads.emplace_back([here] {
        here->WriteAll(std::string(size_t{1} << 20, 'x'));
        here->stream->Close();
      });
      threads.emplace_back([there] { there->ReadAll(size_t{1} << 20); });
    }
    if (round % 2 == 0) {
      client.reset();
    } else {
      server.session->Close();
    }
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace goplugin::internal

#include "goplugin/internal/net/acceptors.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/worker.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

class AcceptorsTest : public ::testing::Test {
 protected:
  AcceptorsTest()
      : acceptors_(Acceptors::Create(
            loop_,
            [this](absl::AnyInvocable<void()> task) {
              worker_.Post(std::move(task));
            },
            [this](const std::string& text) {
              MutexLock lock(mutex_);
              warnings_.push_back(text);
            })) {
    listener_.reset(
        socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    // The kernel picks an abstract name.
    sockaddr_un any = {};
    any.sun_family = AF_UNIX;
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&any),
                   sizeof(sa_family_t)),
              0);
    EXPECT_EQ(listen(listener_.get(), 256), 0);
    size_ = sizeof address_;
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address_),
                &size_);
  }
  ~AcceptorsTest() override {
    accepting_.reset();
    absl::Notification ended;
    loop_.Post([&] {
      acceptors_->End();
      ended.Notify();
    });
    ended.WaitForNotification();
  }

  void Accept(GuestList guests) {
    accepting_ = acceptors_->Accept(std::move(listener_), std::move(guests),
                                    [this](UniqueFd connection) {
                                      MutexLock lock(mutex_);
                                      mutex_.Await(absl::Condition(&may_take_));
                                      taken_.push_back(std::move(connection));
                                    });
  }
  UniqueFd Connect() const {
    UniqueFd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(connection.get(),
                      reinterpret_cast<const sockaddr*>(&address_), size_),
              0);
    return connection;
  }
  bool Comes(const std::function<bool()>& condition) {
    MutexLock lock(mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&condition), kPatience);
  }
  bool TakesInAll(size_t count) {
    return Comes([this, count] {
      mutex_.AssertReaderHeld();
      return taken_.size() == count;
    });
  }
  // The loop has done what was posted before.
  void TakeTurn() {
    absl::Notification turn;
    loop_.Post([&] { turn.Notify(); });
    turn.WaitForNotification();
  }
  void SetMayTake(bool may) {
    MutexLock lock(mutex_);
    may_take_ = may;
  }

  EventLoop loop_;
  Worker worker_{"goplugin-test"};
  absl::Mutex mutex_;
  bool may_take_ = true;
  std::vector<UniqueFd> taken_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> warnings_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Acceptors> acceptors_;
  UniqueFd listener_;
  std::unique_ptr<Accepting> accepting_;
  sockaddr_un address_ = {};
  socklen_t size_ = 0;
};

bool AtEnd(const UniqueFd& connection) {
  pollfd wait = {connection.get(), POLLIN, 0};
  char byte = 0;
  return poll(&wait, 1, 20000) > 0 && recv(connection.get(), &byte, 1, 0) <= 0;
}

TEST_F(AcceptorsTest, HandsConnectionsOn) {
  Accept(GuestList());
  const UniqueFd one = Connect();
  const UniqueFd two = Connect();
  EXPECT_TRUE(TakesInAll(2));
}

TEST_F(AcceptorsTest, ListensNoLongerThanItIsAskedTo) {
  Accept(GuestList());
  accepting_.reset();
  const UniqueFd late(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  while (connect(late.get(), reinterpret_cast<const sockaddr*>(&address_),
                 size_) == 0) {
    // Not yet: in the kernel's queue, which goes with the listener.
    ASSERT_TRUE(AtEnd(late));
    break;
  }
}

TEST_F(AcceptorsTest, StrangersAreTurnedAwayAndTold) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may change users";
  Accept({/*everybody=*/false, {geteuid()}, absl::nullopt});
  constexpr uid_t kNobody = 65534;
  const pid_t child = fork();
  if (child == 0) {
    if (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 ||
        setuid(kNobody) != 0) {
      _exit(2);
    }
    for (int i = 0; i < 10; ++i) {
      if (!AtEnd(Connect())) _exit(1);
    }
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "this sandbox has one user";
  EXPECT_EQ(status, 0);
  const UniqueFd guest = Connect();
  EXPECT_TRUE(TakesInAll(1));
  MutexLock lock(mutex_);
  // The first, second, fourth and eighth.
  ASSERT_EQ(warnings_.size(), 4u);
  EXPECT_TRUE(absl::StrContains(warnings_[0], "of user 65534")) << warnings_[0];
  EXPECT_TRUE(absl::StrContains(warnings_[3], "8 so far")) << warnings_[3];
}

TEST_F(AcceptorsTest, NoMoreAreAcceptedThanMayWait) {
  const auto open = [] {
    size_t count = 0;
    for (int fd = 0; fd < 4096; ++fd) count += fcntl(fd, F_GETFD) >= 0;
    return count;
  };
  SetMayTake(false);
  Accept(GuestList());
  TakeTurn();
  const size_t before = open();
  std::vector<UniqueFd> clients;
  constexpr size_t kClients = Acceptors::kMaxWaiting + 40;
  for (size_t i = 0; i < kClients; ++i) clients.push_back(Connect());
  // As many as may wait come in soon, and no more.
  while (open() < before + kClients + Acceptors::kMaxWaiting) {
  }
  TakeTurn();
  EXPECT_EQ(open(), before + kClients + Acceptors::kMaxWaiting);
  SetMayTake(true);
  EXPECT_TRUE(TakesInAll(kClients));
}

TEST_F(AcceptorsTest, WithoutDescriptorsItWaitsAndDoesNotGoAway) {
  Accept(GuestList());
  TakeTurn();  // which opens the loop's own
  const UniqueFd client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  struct rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = dup(0);
  close(next);
  struct rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_EQ(connect(client.get(), reinterpret_cast<const sockaddr*>(&address_),
                    size_),
            0);
  EXPECT_TRUE(Comes([this] {
    mutex_.AssertReaderHeld();
    return !warnings_.empty();
  }));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(TakesInAll(1));
  MutexLock lock(mutex_);
  EXPECT_TRUE(absl::StrContains(warnings_[0], "Too many open files"))
      << warnings_[0];
  EXPECT_LT(warnings_.size(), 5u) << "it spins";
}

TEST_F(AcceptorsTest, AfterItsEndNothingComes) {
  absl::Notification ended;
  loop_.Post([&] {
    acceptors_->End();
    ended.Notify();
  });
  ended.WaitForNotification();
  const int raw = listener_.get();
  Accept(GuestList());
  EXPECT_EQ(fcntl(raw, F_GETFD), -1) << "the listener was not closed";
}

}  // namespace
}  // namespace goplugin::internal

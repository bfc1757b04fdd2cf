#ifndef TESTS_INTEGRATION_LIVE_H_
#define TESTS_INTEGRATION_LIVE_H_

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {

// How much later than its deadline something may happen on a loaded machine.
inline constexpr absl::Duration kGrace = absl::Seconds(5);

// KvOptions without TLS: for tests that are not about TLS, and start faster.
inline ClientOptions PlainOptions() {
  ClientOptions options = KvOptions();
  options.tls.mode = TlsMode::kInsecure;
  return options;
}

// How soon a plugin has ended that ends by itself: instrumented ones, and those
// of busy machines, take their time.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr absl::Duration kSoonEnded = absl::Seconds(2);
#else
inline constexpr absl::Duration kSoonEnded = absl::Milliseconds(300);
#endif

// For plugins that have to be forced.
inline ClientOptions ShortLadder() {
  ClientOptions options = PlainOptions();
  options.shutdown.rpc_timeout = absl::Seconds(1);
  options.shutdown.exit_timeout = kSoonEnded;
  options.shutdown.terminate_timeout = absl::Seconds(1);
  return options;
}

// A launch that must succeed: null, and a failure of the test, otherwise.
inline std::unique_ptr<Client> MustLaunch(
    Command command, ClientOptions options = PlainOptions()) {
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(std::move(command), std::move(options));
  EXPECT_TRUE(client.ok()) << client.status();
  return client.ok() ? *std::move(client) : nullptr;
}

// Whether the plugin answers calls.
inline bool Answers(const Client& client) {
  return !Get(client, "!pid").empty() &&
         Get(client, "!pid") == std::to_string(client.pid());
}

// Stops the plugin, and waits until all of its threads stand still.
inline void Stop(const Client& client) {
  ASSERT_EQ(kill(client.pid(), SIGSTOP), 0);
  siginfo_t info = {};
  ASSERT_EQ(
      waitid(P_PID, static_cast<id_t>(client.pid()), &info, WSTOPPED | WNOWAIT),
      0);
}

// Listens on a free port of 127.0.0.1, which a gRPC server may take over. What
// comes of the connections is the caller's affair.
inline int ListenOnLoopback(int* port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(bind(listener, generic, size), 0);
  EXPECT_EQ(listen(listener, 16), 0);
  EXPECT_EQ(getsockname(listener, generic, &size), 0);
  *port = ntohs(address.sin_port);
  return listener;
}

inline sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(),
              std::min(path.size(), sizeof(address.sun_path) - 1));
  return address;
}

// Listens at `path`; -1 when that can't be.
inline int ListenAtPath(const std::string& path) {
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = AddressOf(path);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address),
           sizeof address) != 0 ||
      listen(listener, 16) != 0) {
    return -1;
  }
  return listener;
}

// One value on its way from a callback to the test. Thread-safe.
template <typename T>
class Mailbox {
 public:
  void Put(T value) {
    internal::MutexLock lock(mutex_);
    EXPECT_FALSE(value_.has_value()) << "called twice";
    value_ = std::move(value);
  }

  bool Has() const {
    internal::MutexLock lock(mutex_);
    return value_.has_value();
  }

  // The value; nullopt when it does not come in time.
  absl::optional<T> Take() {
    const auto arrived = [this] {
      mutex_.AssertReaderHeld();
      return value_.has_value();
    };
    internal::MutexLock lock(mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&arrived), kPatience);
    return std::move(value_);
  }

 private:
  mutable absl::Mutex mutex_;
  absl::optional<T> value_ ABSL_GUARDED_BY(mutex_);
};

// For what nothing tells: asks again and again whether it came about.
template <typename Condition>
bool Eventually(Condition condition) {
  const absl::Time give_up = absl::Now() + kPatience;
  while (!condition()) {
    if (absl::Now() > give_up) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

}  // namespace goplugin::testing

#endif  // TESTS_INTEGRATION_LIVE_H_

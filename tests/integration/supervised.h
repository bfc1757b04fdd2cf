#ifndef TESTS_INTEGRATION_SUPERVISED_H_
#define TESTS_INTEGRATION_SUPERVISED_H_

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/supervisor.h"
#include "tests/integration/live.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {

// A policy for tests: patient with failures, and quick.
inline SupervisorOptions QuickPolicy(int replicas = 1) {
  SupervisorOptions policy;
  policy.replicas = replicas;
  policy.restart.initial = absl::Milliseconds(10);
  policy.restart.max = absl::Milliseconds(100);
  policy.restart.intensity = 1000;
  policy.drain_timeout = absl::Seconds(5);
  return policy;
}

// A start that must succeed: null, and a failure of the test, otherwise.
inline std::unique_ptr<Supervisor> MustStart(
    SupervisorSource source, SupervisorOptions policy = QuickPolicy(),
    ClientOptions options = ShortLadder()) {
  absl::StatusOr<std::unique_ptr<Supervisor>> supervisor = Supervisor::Start(
      std::move(source), std::move(options), std::move(policy));
  EXPECT_TRUE(supervisor.ok()) << supervisor.status();
  return supervisor.ok() ? *std::move(supervisor) : nullptr;
}

// The process behind a replica; -1 when it is not in use.
inline pid_t PidOf(const Supervisor& supervisor, int replica = 0) {
  const std::shared_ptr<Client> client = supervisor.client(replica);
  return client == nullptr ? -1 : client->pid();
}

// What the plugin answers to a Get of `key`; "" when there is none.
inline std::string Ask(const Supervisor& supervisor, const std::string& key,
                       int replica = 0) {
  const std::shared_ptr<Client> client = supervisor.client(replica);
  return client == nullptr ? "" : Get(*client, key);
}

inline bool IsReady(const Supervisor& supervisor) {
  return supervisor.Status().state == SupervisorState::kReady;
}

// Whether a replica's process becomes another one than `old`, and answers.
inline bool ComesBack(const Supervisor& supervisor, pid_t old,
                      int replica = 0) {
  return Eventually([&] {
    const pid_t now = PidOf(supervisor, replica);
    return now != -1 && now != old &&
           Ask(supervisor, "!pid", replica) == std::to_string(now);
  });
}

// The states and generations that a supervisor tells of. Thread-safe.
class Observer {
 public:
  void Watch(Supervisor& supervisor) {
    supervisor.OnState([this](SupervisorState state, const absl::Status& why) {
      internal::MutexLock lock(mutex_);
      states_.push_back(state);
      why_ = why;
    });
    supervisor.OnGeneration(
        [this](int, std::uint64_t generation, const std::shared_ptr<Client>&) {
          internal::MutexLock lock(mutex_);
          generations_.push_back(generation);
        });
  }

  std::vector<SupervisorState> states() const {
    internal::MutexLock lock(mutex_);
    return states_;
  }
  std::vector<std::uint64_t> generations() const {
    internal::MutexLock lock(mutex_);
    return generations_;
  }
  absl::Status why() const {
    internal::MutexLock lock(mutex_);
    return why_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<SupervisorState> states_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::uint64_t> generations_ ABSL_GUARDED_BY(mutex_);
  absl::Status why_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::testing

#endif  // TESTS_INTEGRATION_SUPERVISED_H_

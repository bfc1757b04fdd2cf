#ifndef TESTS_INTEGRATION_SUPERVISED_CALLS_H_
#define TESTS_INTEGRATION_SUPERVISED_CALLS_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/types.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/client.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/supervisor.h"
#include "tests/integration/supervised.h"

namespace goplugin::testing {

// What a Get over a supervised channel ended with.
struct Answer {
  grpc::Status status;
  std::string value;
  absl::Duration took;
};

// A Get of `key` (tests/plugins has those that act).
inline Answer AskStub(proto::KV::Stub& kv, const std::string& key,
                      grpc::ClientContext& context,
                      absl::Duration timeout = kPatience) {
  const absl::Time begun = absl::Now();
  context.set_deadline(absl::ToChronoTime(begun + timeout));
  proto::GetRequest request;
  request.set_key(key);
  proto::GetResponse response;
  Answer answer;
  answer.status = kv.Get(&context, request, &response);
  answer.value = response.value();
  answer.took = absl::Now() - begun;
  return answer;
}

inline Answer AskStub(proto::KV::Stub& kv, const std::string& key,
                      absl::Duration timeout = kPatience) {
  grpc::ClientContext context;
  return AskStub(kv, key, context, timeout);
}

// The same on a thread of its own.
inline std::future<Answer> BeginAsking(proto::KV::Stub& kv,
                                       const std::string& key,
                                       absl::Duration timeout = kPatience) {
  return std::async(std::launch::async,
                    [&kv, key, timeout] { return AskStub(kv, key, timeout); });
}

// Kills a replica's process; returns once its exit is seen here, from where on
// no call goes to it.
inline pid_t KillSeen(const Supervisor& supervisor, int replica = 0) {
  const std::shared_ptr<Client> client = supervisor.client(replica);
  if (client == nullptr) return -1;
  const pid_t pid = client->pid();
  kill(pid, SIGKILL);
  EXPECT_TRUE(Eventually([&] { return client->exited(); }));
  return pid;
}

// A SupervisorOptions::prepare that new processes wait in while it is closed,
// so that there is no replica for as long as a test wants. Open at first.
class Gate {
 public:
  Gate() = default;
  ~Gate() { Open(); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void Close() { Set(false); }
  void Open() { Set(true); }

  // Valid after the gate's end.
  std::function<absl::Status(Client&, std::chrono::system_clock::time_point)>
  Prepare() const {
    return [state = state_](Client&, std::chrono::system_clock::time_point) {
      internal::MutexLock lock(state->mutex);
      state->mutex.Await(absl::Condition(
          +[](State* state)
               ABSL_NO_THREAD_SAFETY_ANALYSIS { return state->open; },
          state.get()));
      return absl::OkStatus();
    };
  }

 private:
  struct State {
    absl::Mutex mutex;
    bool open ABSL_GUARDED_BY(mutex) = true;
  };

  void Set(bool open) {
    internal::MutexLock lock(state_->mutex);
    state_->open = open;
  }

  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

// A call that failed.
struct Failure {
  grpc::Status status;
  std::string peer;
  absl::Time begun;
  absl::Time ended;
};

// Callers who call one stub again and again.
class Callers {
 public:
  Callers(Supervisor& supervisor, int count, std::string key)
      : kv_(supervisor.NewStub<proto::KV>()), key_(std::move(key)) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this] { Run(); });
  }
  ~Callers() { Stop(); }
  Callers(const Callers&) = delete;
  Callers& operator=(const Callers&) = delete;

  void Stop() {
    stopped_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  int calls() const { return calls_; }
  absl::Duration longest() const {
    internal::MutexLock lock(mutex_);
    return longest_;
  }
  std::vector<Failure> failures() const {
    internal::MutexLock lock(mutex_);
    return failures_;
  }
  // Whether calls go on.
  bool GoOn(int more) {
    const int before = calls_;
    return Eventually([&] { return calls_ >= before + more; });
  }

 private:
  void Run() {
    while (!stopped_) {
      grpc::ClientContext context;
      const absl::Time begun = absl::Now();
      const Answer answer = AskStub(*kv_, key_, context);
      internal::MutexLock lock(mutex_);
      ++calls_;
      longest_ = std::max(longest_, answer.took);
      if (answer.status.ok()) continue;
      failures_.push_back({answer.status, context.peer(), begun, absl::Now()});
    }
  }

  const std::unique_ptr<proto::KV::Stub> kv_;
  const std::string key_;
  std::atomic<bool> stopped_{false};
  std::atomic<int> calls_{0};
  mutable absl::Mutex mutex_;
  absl::Duration longest_ ABSL_GUARDED_BY(mutex_);
  std::vector<Failure> failures_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

// How many, and the first, for people.
inline std::string Tell(const std::vector<Failure>& failures) {
  if (failures.empty()) return "none";
  return absl::StrCat(failures.size(), " failed; ", failures[0].peer, ": ",
                      failures[0].status.error_message());
}

}  // namespace goplugin::testing

#endif  // TESTS_INTEGRATION_SUPERVISED_CALLS_H_

#ifndef GOPLUGIN_INTERNAL_SERVE_ACCEPT_THREADS_H_
#define GOPLUGIN_INTERNAL_SERVE_ACCEPT_THREADS_H_

#include <memory>

#include "absl/status/status.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/worker.h"
#include "goplugin/internal/net/acceptors.h"

namespace goplugin::internal {

// A plugin's two threads beside gRPC's: the loop, which accepts (and carries
// the multiplexed connection), and one that hands connections to gRPC.
class AcceptThreads {
 public:
  explicit AcceptThreads(Acceptors::Warn warn);
  // As End, then joins.
  ~AcceptThreads();
  AcceptThreads(const AcceptThreads&) = delete;
  AcceptThreads& operator=(const AcceptThreads&) = delete;

  // kResources where the system gave no thread: nothing is accepted.
  const absl::Status& status() const {
    return loop_.status().ok() ? worker_.status() : loop_.status();
  }
  // Closes all listeners, and takes no new ones.
  void End();
  EventLoop& loop() { return loop_; }
  const std::shared_ptr<Acceptors>& acceptors() const { return acceptors_; }

 private:
  EventLoop loop_;
  // Before the loop: its tasks report to it.
  Worker worker_{"goplugin-accept"};
  const std::shared_ptr<Acceptors> acceptors_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_ACCEPT_THREADS_H_

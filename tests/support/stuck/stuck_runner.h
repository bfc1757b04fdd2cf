#ifndef TESTS_SUPPORT_STUCK_STUCK_RUNNER_H_
#define TESTS_SUPPORT_STUCK_STUCK_RUNNER_H_

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/command.h"
#include "goplugin/endpoint.h"
#include "goplugin/runner.h"
#include "tests/support/stuck/gate.h"

namespace goplugin::testing {

// Starts children without any walls, and gets stuck at a gate where one is set.
class StuckRunner final : public Runner {
 public:
  struct Gates {
    std::shared_ptr<Gate> start = nullptr;
    std::shared_ptr<Gate> kill = nullptr;
    std::shared_ptr<Gate> translation = nullptr;
  };

  StuckRunner(Command command, Gates gates)
      : command_(std::move(command)), gates_(std::move(gates)) {}
  ~StuckRunner() override;

  std::string Name() const override { return "stuck runner"; }
  absl::StatusOr<RunnerProcess> Start(const RunnerRequest& request) override;
  absl::StatusOr<ExitStatus> Wait() override;
  absl::Status Kill() override;
  absl::StatusOr<Endpoint> PluginToHost(
      const Endpoint& endpoint) const override;

  // How often Start was called; whether it was after the launch was told to
  // have ended.
  int starts() const { return starts_; }
  bool started_too_late() const { return too_late_; }
  // To be called by the launch's callback.
  void LaunchEnded() { ended_ = true; }

 private:
  const Command command_;
  const Gates gates_;
  std::atomic<int> starts_{0};
  std::atomic<bool> ended_{false};
  std::atomic<bool> too_late_{false};
  absl::Mutex mutex_;
  pid_t pid_ ABSL_GUARDED_BY(mutex_) = -1;
  int pidfd_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_STUCK_STUCK_RUNNER_H_

#include "tests/support/stuck/stuck_runner.h"

#include <unistd.h>

#include <utility>

#include "examples/runner/child.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {

StuckRunner::~StuckRunner() {
  internal::MutexLock lock(mutex_);
  if (pidfd_ < 0) return;
  KillProcess(pidfd_).IgnoreError();
  if (pid_ > 0) WaitForChild(pid_).IgnoreError();
  close(pidfd_);
}

absl::StatusOr<RunnerProcess> StuckRunner::Start(const RunnerRequest& request) {
  ++starts_;
  if (ended_) too_late_ = true;
  if (gates_.start != nullptr) gates_.start->Pass();
  absl::StatusOr<Child> child = StartChild(
      ArgumentsOf(command_), EnvironmentOf(command_, request.environment));
  if (!child.ok()) return child.status();
  internal::MutexLock lock(mutex_);
  pid_ = child->pid;
  pidfd_ = dup(child->pidfd);
  return RunnerProcess{child->stdout_fd, child->stderr_fd, child->pidfd,
                       "stuck"};
}

absl::StatusOr<ExitStatus> StuckRunner::Wait() {
  internal::MutexLock lock(mutex_);
  return WaitForChild(std::exchange(pid_, -1));
}

absl::Status StuckRunner::Kill() {
  if (gates_.kill != nullptr) gates_.kill->Pass();
  internal::MutexLock lock(mutex_);
  return pidfd_ < 0 ? absl::OkStatus() : KillProcess(pidfd_);
}

absl::StatusOr<Endpoint> StuckRunner::PluginToHost(
    const Endpoint& endpoint) const {
  if (gates_.translation != nullptr) gates_.translation->Pass();
  return endpoint;
}

}  // namespace goplugin::testing

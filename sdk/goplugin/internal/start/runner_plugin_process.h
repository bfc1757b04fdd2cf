#ifndef GOPLUGIN_INTERNAL_START_RUNNER_PLUGIN_PROCESS_H_
#define GOPLUGIN_INTERNAL_START_RUNNER_PLUGIN_PROCESS_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/start/plugin_process.h"
#include "goplugin/internal/start/process_output.h"
#include "goplugin/runner.h"

namespace goplugin::internal {

// A plugin that a user's runner has started or attached to: watched by the
// runner's descriptors, waited for and killed by the runner. Lives on the
// loop's thread; the runner is called on a callback's.
class RunnerPluginProcess final : public PluginProcess {
 public:
  struct Descriptors {
    UniqueFd stdout_fd;
    UniqueFd stderr_fd;
    UniqueFd exit_fd;
  };

  // Whose end it is that ends the plugin.
  enum class Owner { kClient, kOthers };

  RunnerPluginProcess(EventLoop& loop, Pool& pool,
                      std::shared_ptr<Runner> runner, Owner owner,
                      Descriptors descriptors, Callbacks callbacks);

  bool controllable() const override { return true; }
  bool takes_signals() const override { return false; }
  void Signal(int signal) override;
  // It runs on unless the runner is asked to end it.
  void Detach() override {}

 private:
  void OnMaybeExited();
  void OnWaited(const absl::StatusOr<ExitStatus>& status);
  void OnKilled(const absl::Status& status);
  std::string Said(const char* step, const absl::Status& status) const;

  EventLoop& loop_;
  const std::shared_ptr<Runner> runner_;
  const Owner owner_;
  const std::shared_ptr<Lane> lane_;
  ProcessOutput output_;
  const UniqueFd exit_fd_;
  std::unique_ptr<DescriptorWatch> watch_;
  bool killing_ = false;
  // What a late answer of the runner's looks for: gone with this object.
  const std::shared_ptr<RunnerPluginProcess*> self_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_RUNNER_PLUGIN_PROCESS_H_

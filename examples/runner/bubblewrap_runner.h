#ifndef EXAMPLES_RUNNER_BUBBLEWRAP_RUNNER_H_
#define EXAMPLES_RUNNER_BUBBLEWRAP_RUNNER_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/runner.h"

// Starts a plugin under bubblewrap: with processes, files, network and users of
// its own. It sees the system's programs, itself, an empty /tmp that goes with
// it, and the directory for its sockets, which is /run/plugin in there.
class BubblewrapRunner final : public goplugin::Runner {
 public:
  // `program` is the plugin, a path, or a script; `arguments` are its.
  explicit BubblewrapRunner(std::string program,
                            std::vector<std::string> arguments = {});
  ~BubblewrapRunner() override;

  std::string Name() const override { return "bubblewrap"; }
  absl::StatusOr<std::string> PlaceSocketDirectory(
      const std::string& directory) override;
  absl::StatusOr<goplugin::RunnerProcess> Start(
      const goplugin::RunnerRequest& request) override;
  absl::StatusOr<goplugin::ExitStatus> Wait() override;
  absl::Status Kill() override;
  std::string Diagnose() override;
  absl::StatusOr<goplugin::Endpoint> PluginToHost(
      const goplugin::Endpoint& endpoint) const override;
  absl::StatusOr<goplugin::Endpoint> HostToPlugin(
      const goplugin::Endpoint& endpoint) const override;

 private:
  std::vector<std::string> CommandLine() const;

  const std::string program_;
  const std::vector<std::string> arguments_;
  // Constant from PlaceSocketDirectory on.
  std::string directory_;
  // bwrap itself, which ends with what is in the sandbox.
  pid_t pid_ = -1;
  // The sandbox's first process: with it everything in there ends.
  int first_ = -1;
};

#endif  // EXAMPLES_RUNNER_BUBBLEWRAP_RUNNER_H_

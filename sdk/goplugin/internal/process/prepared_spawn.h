#ifndef GOPLUGIN_INTERNAL_PROCESS_PREPARED_SPAWN_H_
#define GOPLUGIN_INTERNAL_PROCESS_PREPARED_SPAWN_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "goplugin/command.h"
#include "goplugin/internal/process/caller_context.h"
#include "goplugin/internal/process/child_process.h"
#include "goplugin/internal/process/child_setup.h"
#include "goplugin/internal/process/clone_attempt.h"
#include "goplugin/internal/process/spawn.h"
#include "goplugin/internal/process/spawn_result.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// All that a child reads before its exec, and what it takes over: owned here,
// so that a thread that stands still in a clone needs nothing else.
class PreparedSpawn {
 public:
  PreparedSpawn(SpawnRequest request,
                std::shared_ptr<const CallerContext> caller);
  PreparedSpawn(const PreparedSpawn&) = delete;
  PreparedSpawn& operator=(const PreparedSpawn&) = delete;

  // Looks and opens: PrepareSpawn's work. An error is what that returns.
  absl::Status Prepare();

  // One try to make the child. For a spawner: reads no file of anybody's.
  SpawnResult Clone(CloneAttempt& attempt);

  // FinishSpawn's work.
  absl::StatusOr<ChildProcess> Finish(SpawnResult result);

 private:
  // Where it failed, or error_number 0.
  struct Problem {
    SpawnStep step = SpawnStep::kExec;
    int error_number = 0;
    size_t item = 0;
  };

  absl::Status OpenProgram();
  Problem OpenFiles();
  Problem OpenStdio();
  // Makes the plan of what the others have found.
  void MakePlan();
  void PlanCaller();
  void PlanDescriptors();
  absl::Status Failure(const Problem& problem) const;

  const SpawnRequest request_;
  const std::shared_ptr<const CallerContext> caller_;
  // The file, as ResolveProgram names it.
  std::string program_;

  // The host's ends.
  UniqueFd stdin_pipe_;
  UniqueFd stdout_pipe_;
  UniqueFd stderr_pipe_;
  // The child's.
  UniqueFd stdin_fd_;  // invalid: the host's own
  UniqueFd stdout_fd_;
  UniqueFd stderr_fd_;
  UniqueFd program_fd_;  // invalid: executed by name
  std::vector<UniqueFd> control_group_files_;
  std::vector<UniqueFd> inherited_;

  // What the plan points to, besides.
  std::vector<char*> argv_;
  std::vector<char*> environment_;
  std::vector<int> control_groups_;
  std::vector<Command::Descriptor> descriptors_;
  std::vector<int> kept_descriptors_;
  ChildPlan plan_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_PREPARED_SPAWN_H_

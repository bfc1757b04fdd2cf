#ifndef GOPLUGIN_INTERNAL_START_RUN_PLUGIN_H_
#define GOPLUGIN_INTERNAL_START_RUN_PLUGIN_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/start/plugin_process.h"
#include "goplugin/internal/start/plugin_start.h"
#include "goplugin/reattach.h"
#include "goplugin/runner.h"

namespace goplugin::internal {

// The start of a plugin by a user's runner, which may be null: that is an error
// of the check.
PluginStart RunnerStart(std::shared_ptr<Runner> runner);

// A plugin in the hands of a user's runner.
struct RunnerPlugin {
  // What errors call it.
  std::string name;
  MakePluginProcess make_process;
};

// Has the runner, which may be null, take hold of the plugin. Blocks as long as
// that does; the pool outlives the process. Errors: kOptions for null,
// kReattachNotFound, kSpawn for descriptors that are none.
absl::StatusOr<RunnerPlugin> AttachByRunner(
    Pool& pool, const std::shared_ptr<Runner>& runner,
    const ReattachConfig& config);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_RUN_PLUGIN_H_

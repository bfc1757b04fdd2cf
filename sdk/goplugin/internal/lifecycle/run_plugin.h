#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_RUN_PLUGIN_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_RUN_PLUGIN_H_

#include <memory>

#include "goplugin/internal/lifecycle/plugin_start.h"
#include "goplugin/runner.h"

namespace goplugin::internal {

// The start of a plugin by a user's runner, which may be null: that is an error
// of the check.
PluginStart RunnerStart(std::shared_ptr<Runner> runner);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_RUN_PLUGIN_H_

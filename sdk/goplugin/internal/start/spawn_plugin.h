#ifndef GOPLUGIN_INTERNAL_START_SPAWN_PLUGIN_H_
#define GOPLUGIN_INTERNAL_START_SPAWN_PLUGIN_H_

#include "goplugin/command.h"
#include "goplugin/internal/start/plugin_start.h"

namespace goplugin::internal {

// The start of a plugin as a child of this process. Reads what depends on the
// caller: directory, environment, PATH, processors and scheduling.
PluginStart SpawnStart(Command command);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_SPAWN_PLUGIN_H_

#ifndef GOPLUGIN_INTERNAL_START_SPAWN_PLUGIN_H_
#define GOPLUGIN_INTERNAL_START_SPAWN_PLUGIN_H_

#include "goplugin/command.h"
#include "goplugin/internal/start/plugin_start.h"

namespace goplugin::internal {

// The start of a plugin as a child of this process. Copies the host's
// environment.
PluginStart SpawnStart(Command command);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_SPAWN_PLUGIN_H_

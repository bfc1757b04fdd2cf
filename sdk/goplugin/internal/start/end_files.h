#ifndef GOPLUGIN_INTERNAL_START_END_FILES_H_
#define GOPLUGIN_INTERNAL_START_END_FILES_H_

#include "goplugin/internal/files/plugin_files.h"
#include "goplugin/internal/start/plugin_output.h"

namespace goplugin::internal {

// Removes what a plugin and its client have left, which may take kRemovalWait,
// and tells in the log what stays. After the plugin's end.
void EndFiles(PluginFiles& files, PluginOutput& output);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_END_FILES_H_

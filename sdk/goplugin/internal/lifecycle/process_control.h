#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_PROCESS_CONTROL_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_PROCESS_CONTROL_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/internal/lifecycle/plugin_source.h"
#include "goplugin/internal/start/plugin_process.h"
#include "goplugin/reattach.h"

namespace goplugin::internal {

// What a client may do with its plugin's process, which depends on where the
// plugin came from.

// kNoProcessControl when the process is out of reach or somebody else's.
absl::Status CheckMayKill(const ReadyPlugin& plugin,
                          const PluginProcess& process);

// kOptions when the plugin was not started to outlive its host; else as
// ReattachConfigOf.
absl::Status CheckMayDetach(const ReadyPlugin& plugin,
                            const PluginProcess& process);

// How others find the plugin. kOptions for one that trusts a one-time
// certificate, kNoProcessControl for one that is known by a target alone.
absl::StatusOr<ReattachConfig> ReattachConfigOf(const ReadyPlugin& plugin,
                                                const PluginProcess& process);

// What is told in place of an exit when a plugin did not end, as `result` says.
absl::Status GivenUpError(const absl::Status& result);
// What is told in place of an exit when a client let go of its plugin.
absl::Status ReleasedError();

// What is asked of a client after its end.
absl::Status ShutDownError();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_PROCESS_CONTROL_H_

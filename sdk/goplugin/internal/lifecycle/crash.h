#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_CRASH_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_CRASH_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/start/plugin_output.h"
#include "goplugin/internal/start/plugin_process.h"

namespace goplugin::internal {

// The report of an exit that nobody asked for: kCrashed, with the last words.
absl::Status CrashError(const std::string& path, const PluginProcess& process,
                        const ExitStatus& status, const PluginOutput& output);

// A `crash` of a plugin that had lost its connection before: one that then
// ended without an error of its own did so for that.
absl::Status WithLoss(const absl::Status& crash, const absl::Status& lost);

// `error` with what a failed call said as one more piece of evidence.
absl::Status WithCall(const absl::Status& error, const grpc::Status& call);

// A failed call of a plugin that lives, as far as can be `seen`: the call's own
// code, kUnknown. `hang`: why calls get no answer, if anything is known of it.
absl::Status CallError(const grpc::Status& call, bool seen,
                       const std::string& hang);

// Whether a call may have failed because the plugin is gone.
bool MayMeanExit(const grpc::Status& call);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_CRASH_H_

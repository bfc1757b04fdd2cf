#ifndef GOPLUGIN_INTERNAL_START_OPTIONS_CHECK_H_
#define GOPLUGIN_INTERNAL_START_OPTIONS_CHECK_H_

#include "absl/status/status.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"

namespace goplugin::internal {

// The one place where what a caller gives is judged. Errors are kOptions; the
// evidence names the field. Nothing is looked up in the system here.
absl::Status CheckOptions(const Command& command, const ClientOptions& options);

// For a plugin that a runner starts, which judges the rest.
absl::Status CheckRunnerOptions(const ClientOptions& options);

// For a plugin that runs already: what only a launch needs is not looked at.
absl::Status CheckJoinOptions(const ClientOptions& options);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_OPTIONS_CHECK_H_

#ifndef EXAMPLES_HOST_REPORT_H_
#define EXAMPLES_HOST_REPORT_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "examples/host/console.h"
#include "goplugin/client.h"

namespace host {

// One step of the launch, at the moment it is done.
void ReportPhase(Console& console, goplugin::LaunchPhase phase,
                 absl::Duration since_launch);

// What host and plugin have agreed on.
void ReportConnection(Console& console, const goplugin::Client& client);

// What went wrong, what was seen, and what to do about it.
void ReportError(Console& console, const absl::Status& error);

}  // namespace host

#endif  // EXAMPLES_HOST_REPORT_H_

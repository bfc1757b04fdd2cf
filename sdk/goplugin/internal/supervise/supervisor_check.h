#ifndef GOPLUGIN_INTERNAL_SUPERVISE_SUPERVISOR_CHECK_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_SUPERVISOR_CHECK_H_

#include "absl/status/status.h"
#include "goplugin/supervisor_options.h"

namespace goplugin::internal {

// The one place where a policy is judged. Errors are kOptions; the evidence
// names the field.
absl::Status CheckSupervisorOptions(const SupervisorOptions& options);

// The same for Scale alone.
absl::Status CheckReplicas(int replicas);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_SUPERVISOR_CHECK_H_

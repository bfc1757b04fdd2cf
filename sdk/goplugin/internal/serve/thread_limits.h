#ifndef GOPLUGIN_INTERNAL_SERVE_THREAD_LIMITS_H_
#define GOPLUGIN_INTERNAL_SERVE_THREAD_LIMITS_H_

#include <sys/resource.h>

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"

namespace goplugin::internal {

// The text of a file, "" when it can't be read.
using ReadText = absl::FunctionRef<std::string(const std::string& path)>;

// Of this process, the soft ones.
struct ResourceLimits {
  rlim_t processes = RLIM_INFINITY;
  rlim_t address_space = RLIM_INFINITY;
  rlim_t data = RLIM_INFINITY;
};

// Whether no limit of threads is near: the user's, the system's, and those of
// the control groups, of version 1 or 2, can be seen, and have room for many
// times `wanted`; memory is not rationed. False where one can't be seen, but
// for those that nobody in a container can: of the groups around it.
bool ThreadLimitsAreFar(std::uint64_t wanted, const ResourceLimits& limits,
                        ReadText read);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_THREAD_LIMITS_H_

#ifndef GOPLUGIN_INTERNAL_PROCESS_CAPABILITIES_H_
#define GOPLUGIN_INTERNAL_PROCESS_CAPABILITIES_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

// Sets of Linux capabilities: number N is bit N.

namespace goplugin::internal {

// "cap_ipc_lock, cap_net_admin"; one that is newer than this library is
// "capability 41".
std::string CapabilityNames(uint64_t set);

// A line of /proc/PID/status: "CapBnd", "CapPrm". nullopt where it can't be
// read.
absl::optional<uint64_t> ReadCapabilities(const std::string& status_file,
                                          absl::string_view line);

// Those that the file at `path` is to give to whoever executes it, if it must
// give all of them or not run at all (its effective flag). nullopt: it has
// none, or need not.
absl::optional<uint64_t> RequiredCapabilities(const std::string& path);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_CAPABILITIES_H_

#ifndef GOPLUGIN_INTERNAL_PROCESS_FREE_DESCRIPTORS_H_
#define GOPLUGIN_INTERNAL_PROCESS_FREE_DESCRIPTORS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace goplugin::internal {

// Whether this process, the "host" or the "plugin", can open as many
// descriptors as gRPC and the event loop begin with: without them, both end the
// process. kSpawn when it can't.
absl::Status CheckFreeDescriptors(absl::string_view whose);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_FREE_DESCRIPTORS_H_

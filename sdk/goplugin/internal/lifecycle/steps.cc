#include "goplugin/internal/lifecycle/steps.h"

#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {

absl::Status NoFreeThread() {
  return MakeError(Reason::kResources,
                   "no thread of this library's was free for the launch within "
                   "the start timeout",
                   "file systems, runners or interceptors of other clients are "
                   "stuck, or this host's processors are all busy: launch "
                   "fewer plugins at once");
}

}  // namespace goplugin::internal

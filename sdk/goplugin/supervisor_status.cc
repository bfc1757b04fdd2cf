#include "goplugin/supervisor_status.h"

namespace goplugin {

const char* SupervisorStateName(SupervisorState state) {
  switch (state) {
    case SupervisorState::kStarting:
      return "starting";
    case SupervisorState::kReady:
      return "ready";
    case SupervisorState::kDegraded:
      return "degraded";
    case SupervisorState::kRestarting:
      return "restarting";
    case SupervisorState::kGaveUp:
      return "gave up";
    case SupervisorState::kStopped:
      return "stopped";
  }
  return "unknown";
}

}  // namespace goplugin

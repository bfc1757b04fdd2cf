#include "goplugin/client_options.h"

namespace goplugin {

const char* LaunchPhaseName(LaunchPhase phase) {
  switch (phase) {
    case LaunchPhase::kStarted:
      return "started";
    case LaunchPhase::kLine:
      return "line";
    case LaunchPhase::kConnected:
      return "connected";
    case LaunchPhase::kReady:
      return "ready";
  }
  return "unknown";
}

}  // namespace goplugin

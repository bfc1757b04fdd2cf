#ifndef GOPLUGIN_INTERNAL_PROCESS_AT_LOAD_H_
#define GOPLUGIN_INTERNAL_PROCESS_AT_LOAD_H_

#include <cstdint>
#include <vector>

#include "absl/types/optional.h"
#include "goplugin/internal/process/scheduling.h"

namespace goplugin::internal {

// What the process had from whoever started it, looked at when this library is
// loaded: before the host's main, or in its dlopen. The kernel keeps no record
// of it. Never changes.
struct StateAtLoad {
  // Those of HUP, INT and QUIT that were ignored (nohup, a shell's "&", cron):
  // signal N has bit 1 << N.
  std::uint32_t ignored_signals = 0;
  // Of the thread that loaded it.
  std::vector<unsigned char> affinity = {};
  absl::optional<Scheduling> scheduling = absl::nullopt;
};

const StateAtLoad& AtLoad();

// The signals of AtLoad that the process does not take the default action on
// now: what a child is to ignore. A host that has a handler for one by now, as
// to write its log anew, has not taken back what nohup said.
std::uint32_t SignalsToIgnore();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_AT_LOAD_H_

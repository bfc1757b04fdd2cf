#include "goplugin/internal/process/at_load.h"

#include <signal.h>

namespace goplugin::internal {
namespace {

constexpr int kLookedAt[] = {SIGHUP, SIGINT, SIGQUIT};

// Never destroyed: it is read as long as there are threads. Made by whoever
// comes first, should another constructor need it before this file's has run.
const StateAtLoad& Look() {
  static const auto* state = [] {
    auto* seen = new StateAtLoad;
    for (const int number : kLookedAt) {
      struct sigaction action = {};
      if (sigaction(number, nullptr, &action) == 0 &&
          action.sa_handler == SIG_IGN) {
        seen->ignored_signals |= std::uint32_t{1} << number;
      }
    }
    seen->affinity = ReadAffinity();
    seen->scheduling = ReadScheduling();
    return seen;
  }();
  return *state;
}

// In the file of a function that every start calls, so that no linker leaves it
// out of a static library.
__attribute__((constructor)) void LookAtLoad() { Look(); }

}  // namespace

const StateAtLoad& AtLoad() { return Look(); }

std::uint32_t SignalsToIgnore() {
  std::uint32_t ignored = 0;
  for (const int number : kLookedAt) {
    const std::uint32_t bit = std::uint32_t{1} << number;
    struct sigaction action = {};
    if ((AtLoad().ignored_signals & bit) != 0 &&
        sigaction(number, nullptr, &action) == 0 &&
        action.sa_handler != SIG_DFL) {
      ignored |= bit;
    }
  }
  return ignored;
}

}  // namespace goplugin::internal

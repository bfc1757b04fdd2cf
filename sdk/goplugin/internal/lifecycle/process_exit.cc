#include "goplugin/internal/lifecycle/process_exit.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace goplugin::internal {
namespace {

// Constants at start-up and never destroyed: used before and after everything.
std::atomic<bool> exit_has_begun{false};
std::atomic<void (*)()> end_before_exit{nullptr};
std::atomic<pid_t> registered_by{0};

void OnExit() {
  // A forked child has none of the threads that there are to end.
  if (registered_by != getpid() || exit_has_begun.exchange(true)) return;
  end_before_exit.load()();
}

}  // namespace

void BeforeExit(void (*end)()) {
  end_before_exit = end;
  registered_by = getpid();
  StayFirstAtExit();
}

void StayFirstAtExit() {
  // Without memory for it, the exit is as it would be without this.
  static_cast<void>(std::atexit(OnExit));
}

bool ExitHasBegun() { return exit_has_begun; }

}  // namespace goplugin::internal

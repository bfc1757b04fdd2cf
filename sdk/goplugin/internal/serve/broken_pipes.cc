#include "goplugin/internal/serve/broken_pipes.h"

#include <signal.h>

namespace goplugin::internal {
namespace {

void DoNothing(int /*signal*/) {}

// Whether SIGPIPE has `handler`, and nothing more elaborate.
bool Has(void (*handler)(int)) {
  struct sigaction action = {};
  sigaction(SIGPIPE, nullptr, &action);
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == handler;
}

void Set(void (*handler)(int)) {
  struct sigaction action = {};
  sigemptyset(&action.sa_mask);
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(SIGPIPE, &action, nullptr);
}

}  // namespace

BrokenPipes::BrokenPipes() : took_it_(Has(SIG_DFL)) {
  if (took_it_) Set(DoNothing);
}

BrokenPipes::~BrokenPipes() {
  if (took_it_ && Has(DoNothing)) Set(SIG_DFL);
}

}  // namespace goplugin::internal

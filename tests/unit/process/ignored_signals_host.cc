#include "tests/unit/process/ignored_signals_host.h"

#include <csignal>
#include <cstdio>

#include "tests/unit/process/process_test_support.h"

extern "C" int RunIgnoredSignalsHost() {
  signal(SIGHUP, [](int /*signal*/) {});
  signal(SIGQUIT, SIG_DFL);
  signal(SIGUSR2, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  using goplugin::internal::ChildRequest;
  using goplugin::internal::OutputOf;
  std::printf("%s", OutputOf(ChildRequest({"signals"})).c_str());
  return 0;
}

#include "goplugin/internal/log/quiet_write.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <ctime>

#include "absl/strings/string_view.h"

namespace goplugin::internal {
namespace {

bool IsPending(int signal) {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, signal) == 1;
}

}  // namespace

ssize_t QuietWrite(int descriptor, absl::string_view data) {
  sigset_t sigpipe;
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
  // One that was not blocked does not wait.
  const bool waits = sigismember(&before, SIGPIPE) == 1 && IsPending(SIGPIPE);
  const ssize_t written = write(descriptor, data.data(), data.size());
  const int error_number = errno;
  if (written < 0 && error_number == EPIPE && !waits) {
    const timespec at_once = {};
    while (sigtimedwait(&sigpipe, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error_number;
  return written;
}

std::size_t QuietWriteAll(int descriptor, absl::string_view data) {
  std::size_t all = 0;
  while (all < data.size()) {
    const ssize_t written = QuietWrite(descriptor, data.substr(all));
    if (written > 0) {
      all += static_cast<std::size_t>(written);
    } else if (written == 0 || errno != EINTR) {
      break;
    }
  }
  return all;
}

}  // namespace goplugin::internal

#include "tests/support/stuck/stalled_exec.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include <string>

#include "absl/time/time.h"

namespace goplugin::testing {

StalledExec::StalledExec(const std::string& path)
    : fd_(fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK,
                        O_RDONLY | O_CLOEXEC)) {
  EXPECT_GE(fd_, 0) << "fanotify takes root";
  EXPECT_EQ(fanotify_mark(fd_, FAN_MARK_ADD, FAN_OPEN_EXEC_PERM, AT_FDCWD,
                          path.c_str()),
            0);
}

// The kernel lets go whoever still waits.
StalledExec::~StalledExec() { close(fd_); }

bool StalledExec::AwaitOne(absl::Duration timeout) const {
  pollfd watched = {fd_, POLLIN, 0};
  const auto limit = static_cast<int>(ToInt64Milliseconds(timeout));
  if (poll(&watched, 1, limit) <= 0) return false;
  fanotify_event_metadata event = {};
  if (read(fd_, &event, sizeof event) < 0) return false;
  close(event.fd);
  return true;
}

}  // namespace goplugin::testing

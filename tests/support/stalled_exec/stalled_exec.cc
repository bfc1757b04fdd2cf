#include "tests/support/stalled_exec/stalled_exec.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "goplugin/internal/versions/mutex_lock.h"
#include "gtest/gtest.h"

namespace goplugin::testing {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

}  // namespace

StalledExec::StalledExec(const std::string& path)
    : group_(fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK,
                           O_RDONLY | O_CLOEXEC)) {
  if (group_ < 0 || fanotify_mark(group_, FAN_MARK_ADD, FAN_OPEN_EXEC_PERM,
                                  AT_FDCWD, path.c_str()) != 0) {
    ADD_FAILURE() << "no permission events for " << path << ": "
                  << std::strerror(errno);
    return;
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    ADD_FAILURE() << std::strerror(errno);
    return;
  }
  stop_read_ = ends[0];
  stop_write_ = ends[1];
  reader_ = std::thread([this] { Read(); });
}

StalledExec::~StalledExec() {
  Release();
  if (stop_write_ >= 0) close(stop_write_);
  if (reader_.joinable()) reader_.join();
  if (stop_read_ >= 0) close(stop_read_);
  // What came last is allowed by this.
  if (group_ >= 0) close(group_);
  internal::MutexLock lock(mutex_);
  for (const int file : waiting_) close(file);
}

bool StalledExec::WaitFor(size_t count) const {
  const auto enough = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return seen_ >= count;
  };
  internal::MutexLock lock(mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&enough), kPatience);
}

void StalledExec::Release(bool for_good) {
  std::vector<int> files;
  {
    internal::MutexLock lock(mutex_);
    released_ = released_ || for_good;
    files.swap(waiting_);
  }
  Answer(files);
}

void StalledExec::Answer(const std::vector<int>& files) {
  for (const int file : files) {
    // Whoever asked may be dead by now: that is an error, and no matter.
    fanotify_response response = {};
    response.fd = file;
    response.response = FAN_ALLOW;
    if (write(group_, &response, sizeof response) < 0) errno = 0;
    close(file);
  }
}

void StalledExec::Read() {
  while (true) {
    pollfd wait[2] = {{group_, POLLIN, 0}, {stop_read_, POLLIN, 0}};
    if (poll(wait, 2, -1) < 0 && errno != EINTR) return;
    if (wait[1].revents != 0) return;
    alignas(fanotify_event_metadata) char buffer[4096];
    const ssize_t size = read(group_, buffer, sizeof buffer);
    const auto* event = reinterpret_cast<fanotify_event_metadata*>(buffer);
    for (ssize_t left = size; left > 0 && FAN_EVENT_OK(event, left);
         event = FAN_EVENT_NEXT(event, left)) {
      internal::MutexLock lock(mutex_);
      waiting_.push_back(event->fd);
      ++seen_;
    }
    bool released = false;
    {
      internal::MutexLock lock(mutex_);
      released = released_;
    }
    if (released) Release();
  }
}

}  // namespace goplugin::testing

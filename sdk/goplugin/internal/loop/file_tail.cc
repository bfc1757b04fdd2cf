#include "goplugin/internal/loop/file_tail.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kShortestPause = absl::Milliseconds(5);
constexpr absl::Duration kLongestPause = absl::Milliseconds(200);
constexpr size_t kReadSize = size_t{16} * 1024;

}  // namespace

FileTail::FileTail(EventLoop& loop, int descriptor, Callbacks callbacks)
    : descriptor_(descriptor),
      callbacks_(std::move(callbacks)),
      pause_(kShortestPause),
      timer_(loop) {
  timer_.Start(pause_, [this] { Look(); });
}

FileTail::~FileTail() { close(descriptor_); }

void FileTail::Drain(size_t max_bytes) {
  for (size_t total = 0; total < max_bytes;) {
    const size_t count = ReadOnce();
    if (count == 0) return;
    total += count;
  }
}

void FileTail::Look() {
  const bool grown = ReadOnce() > 0;
  if (failed_) return;
  pause_ = grown ? kShortestPause : std::min(pause_ * 2, kLongestPause);
  // After a piece there may be more; others have their turn first.
  timer_.Start(grown ? absl::ZeroDuration() : pause_, [this] { Look(); });
}

size_t FileTail::ReadOnce() {
  if (failed_) return 0;
  char buffer[kReadSize];
  ssize_t count = 0;
  do {
    count = read(descriptor_, buffer, sizeof buffer);
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    callbacks_.on_data(absl::string_view(buffer, static_cast<size_t>(count)));
    return static_cast<size_t>(count);
  }
  if (count < 0) {
    failed_ = true;
    callbacks_.on_end(errno);
  }
  return 0;
}

}  // namespace goplugin::internal

#include "goplugin/internal/loop/file_tail.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kShortestPause = absl::Milliseconds(5);
constexpr absl::Duration kLongestPause = absl::Milliseconds(200);
constexpr size_t kReadSize = size_t{16} * 1024;

}  // namespace

struct FileTail::File {
  explicit File(int owned) : descriptor(owned) {}
  ~File() { close(descriptor); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // -1 for an error, which is in errno.
  ssize_t ReadOnce() {
    ssize_t count = 0;
    do {
      count = read(descriptor, buffer.data(), buffer.size());
    } while (count < 0 && errno == EINTR);
    return count;
  }

  const int descriptor;
  std::array<char, kReadSize> buffer;
};

FileTail::FileTail(EventLoop& loop, std::shared_ptr<Lane> lane, int descriptor,
                   Callbacks callbacks)
    : loop_(loop),
      lane_(std::move(lane)),
      file_(std::make_shared<File>(descriptor)),
      callbacks_(std::move(callbacks)),
      pause_(kShortestPause),
      timer_(loop),
      drain_deadline_(loop),
      self_(std::make_shared<FileTail*>(this)) {
  timer_.Start(pause_, [this] { Read(); });
}

FileTail::~FileTail() {
  // Closing a file may take as long as reading it.
  lane_->Post([file = std::move(file_)] {});
}

void FileTail::Read() {
  reading_ = true;
  lane_->Post(
      [&loop = loop_, file = file_, weak = std::weak_ptr<FileTail*>(self_)] {
        // Nobody waits for it: it would only hold up the pool.
        if (weak.expired()) return;
        const ssize_t count = file->ReadOnce();
        const int error = count < 0 ? errno : 0;
        const size_t bytes = count < 0 ? 0 : static_cast<size_t>(count);
        loop.Post([weak, bytes, error] {
          if (const auto self = weak.lock()) (*self)->OnRead(bytes, error);
        });
      });
}

void FileTail::OnRead(size_t count, int error) {
  reading_ = false;
  if (count > 0) {
    callbacks_.on_data(absl::string_view(file_->buffer.data(), count));
  }
  if (error != 0) {
    failed_ = true;
    callbacks_.on_end(error);
    return FinishDrain();
  }
  if (drained_ != nullptr) return DrainOn(count);
  if (paused_) return;
  pause_ = count > 0 ? kShortestPause : std::min(pause_ * 2, kLongestPause);
  // After a piece there may be more; others have their turn first.
  timer_.Start(count > 0 ? absl::ZeroDuration() : pause_, [this] { Read(); });
}

void FileTail::Pause() {
  paused_ = true;
  timer_.Cancel();
}

void FileTail::Resume() {
  if (!paused_) return;
  paused_ = false;
  if (!reading_ && !failed_) Read();
}

void FileTail::Drain(size_t max_bytes, absl::AnyInvocable<void()> done) {
  if (failed_) return done();
  drained_ = std::move(done);
  drain_left_ = max_bytes;
  drain_again_ = reading_;
  drain_deadline_.Start(kLongestDrain, [this] { FinishDrain(); });
  timer_.Cancel();
  if (!reading_) Read();
}

void FileTail::DrainOn(size_t count) {
  const bool at_end = count == 0 && !drain_again_;
  drain_again_ = false;
  drain_left_ -= std::min(count, drain_left_);
  if (at_end || drain_left_ == 0) return FinishDrain();
  Read();
}

void FileTail::FinishDrain() {
  drain_deadline_.Cancel();
  if (drained_ == nullptr) return;
  auto done = std::exchange(drained_, nullptr);
  done();
}

}  // namespace goplugin::internal

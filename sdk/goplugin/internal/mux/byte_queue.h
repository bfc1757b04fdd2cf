#ifndef GOPLUGIN_INTERNAL_MUX_BYTE_QUEUE_H_
#define GOPLUGIN_INTERNAL_MUX_BYTE_QUEUE_H_

#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

// Bytes that wait to be written somewhere: appended at the end, in place where
// that saves a copy, and taken from the front. Gives its memory back whenever
// it becomes empty after having been large.
class ByteQueue {
 public:
  // `kept`: as much memory as it may hold on to when it is empty.
  explicit ByteQueue(size_t kept = size_t{256} * 1024) : kept_(kept) {}

  // Room for `size` bytes at the end, uninitialized; valid until the next call.
  char* Reserve(size_t size) {
    if (capacity_ - end_ < size) MakeRoom(size);
    return bytes_.get() + end_;
  }
  // The first `size` bytes of what was reserved now belong to the queue.
  void Commit(size_t size) { end_ += size; }

  void Append(absl::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(Reserve(bytes.size()), bytes.data(), bytes.size());
    Commit(bytes.size());
  }

  bool empty() const { return begin_ == end_; }
  size_t size() const { return end_ - begin_; }
  // Valid until the next change.
  absl::string_view bytes() const {
    return absl::string_view(bytes_.get() + begin_, end_ - begin_);
  }

  void RemovePrefix(size_t size) {
    begin_ += size;
    if (begin_ != end_) return;
    begin_ = end_ = 0;
    if (capacity_ > kept_) {
      bytes_.reset();
      capacity_ = 0;
    }
  }

 private:
  void MakeRoom(size_t size) {
    const size_t used = end_ - begin_;
    // Moving what is there to the front is enough only while it is little.
    if (capacity_ >= size + used && used <= capacity_ / 2) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, used);
    } else {
      capacity_ = 2 * (used + size);
      // Not make_unique: that would zero it.
      std::unique_ptr<char[]> larger(new char[capacity_]);
      if (used > 0) std::memcpy(larger.get(), bytes_.get() + begin_, used);
      bytes_ = std::move(larger);
    }
    begin_ = 0;
    end_ = used;
  }

  size_t kept_;
  std::unique_ptr<char[]> bytes_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_BYTE_QUEUE_H_

#ifndef GOPLUGIN_INTERNAL_PROCESS_UNIQUE_FD_H_
#define GOPLUGIN_INTERNAL_PROCESS_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace goplugin::internal {

// Owns one file descriptor and closes it. Not thread-safe.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { reset(); }

  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;

  bool valid() const { return fd_ >= 0; }
  // -1 when there is none.
  int get() const { return fd_; }
  // Hands the descriptor to the caller, who then closes it.
  int release() { return std::exchange(fd_, -1); }
  // Closes the descriptor, if any, and takes `fd` in its place.
  //
  // EINTR is no reason to close again: Linux has released the number already,
  // and another thread may own it by now.
  void reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_UNIQUE_FD_H_

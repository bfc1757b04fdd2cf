#ifndef GOPLUGIN_INTERNAL_SERVE_STDOUT_BUFFER_H_
#define GOPLUGIN_INTERNAL_SERVE_STDOUT_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

// What the plugin printed and the host has not read yet, at most `capacity`
// bytes. When more comes, the oldest go, and the next Take says how many.
//
// Not thread-safe.
class StdoutBuffer {
 public:
  explicit StdoutBuffer(std::size_t capacity) : capacity_(capacity) {}

  void Append(absl::string_view data);

  // The next piece to send, at most `max_bytes` of what was printed. Where
  // bytes are missing the piece begins with a line that says so. "" when there
  // is nothing to tell.
  std::string Take(std::size_t max_bytes);

  // Gives back what the last Take gave, because it could not be sent: the next
  // one begins with it, as far as there is room beside what was printed since.
  void PutBack(absl::string_view piece);

  // How many bytes were appended so far, and how many of these, the oldest,
  // Take has given or noted.
  std::uint64_t appended() const { return appended_; }
  std::uint64_t taken() const { return appended_ - size() - dropped_; }

  bool empty() const { return size() == 0 && dropped_ == 0; }

 private:
  void Keep(absl::string_view data);
  std::size_t size() const { return data_.size() - start_; }
  void DropFront(std::size_t bytes);

  const std::size_t capacity_;
  // Printed bytes are data_ from start_ on. The front is cut off in one go when
  // it has grown as long as the rest, so that each byte is moved once at most.
  std::string data_;
  std::size_t start_ = 0;
  std::uint64_t appended_ = 0;
  std::uint64_t dropped_ = 0;
  // Of the last Take: how long its note was, and what that said.
  std::size_t note_bytes_ = 0;
  std::uint64_t noted_ = 0;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_STDOUT_BUFFER_H_

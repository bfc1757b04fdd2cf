#ifndef GOPLUGIN_INTERNAL_LOG_BOUNDED_TEXT_H_
#define GOPLUGIN_INTERNAL_LOG_BOUNDED_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

// Lines of which the first 4 KiB and the last of 16 KiB in all are kept.
class BoundedText {
 public:
  static constexpr size_t kMaxBytes = size_t{16} * 1024;
  static constexpr size_t kHeadBytes = size_t{4} * 1024;

  // `line` is valid UTF-8 and given without its newline.
  void AddLine(absl::string_view line);
  void Clear();

  // The lines, with '\n' between them, at most kMaxBytes of valid UTF-8. What
  // was left out is told in its place.
  std::string ToString() const;

 private:
  void Add(absl::string_view bytes);

  size_t size_ = 0;
  std::string head_;
  // Up to twice of what is shown, so that cutting it costs little per byte.
  std::string tail_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_BOUNDED_TEXT_H_

#ifndef GOPLUGIN_INTERNAL_HANDSHAKE_NOISE_H_
#define GOPLUGIN_INTERNAL_HANDSHAKE_NOISE_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

// Output of any length, remembered by its first and its last 2 KiB.
class Noise {
 public:
  static constexpr size_t kHeadBytes = size_t{2} * 1024;
  static constexpr size_t kTailBytes = size_t{2} * 1024;

  void Add(absl::string_view bytes);

  // All bytes added.
  size_t size() const { return size_; }

  // The bytes as they came; in place of what was left out, its number.
  std::string Summary() const;

 private:
  size_t size_ = 0;
  std::string head_;
  // Up to twice kTailBytes, so that cutting it costs little per byte.
  std::string tail_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_HANDSHAKE_NOISE_H_

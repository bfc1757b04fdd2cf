#include "goplugin/internal/handshake/noise.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace goplugin::internal {

void Noise::Add(absl::string_view bytes) {
  size_ += bytes.size();
  const size_t to_head = std::min(bytes.size(), kHeadBytes - head_.size());
  head_.append(bytes.begin(), bytes.begin() + to_head);
  bytes.remove_prefix(to_head);
  if (bytes.size() > kTailBytes) {
    tail_.clear();
    bytes.remove_prefix(bytes.size() - kTailBytes);
  }
  tail_.append(bytes.data(), bytes.size());
  if (tail_.size() > 2 * kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
}

std::string Noise::Summary() const {
  absl::string_view tail = tail_;
  if (tail.size() > kTailBytes) tail.remove_prefix(tail.size() - kTailBytes);
  const size_t left_out = size_ - head_.size() - tail.size();
  if (left_out == 0) return absl::StrCat(head_, tail);
  return absl::StrCat(head_, " [", left_out, " bytes left out] ", tail);
}

}  // namespace goplugin::internal

#include "goplugin/internal/log/bounded_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "goplugin/internal/text/utf8.h"

namespace goplugin::internal {
namespace {

// Room for the remark in the middle, and for characters cut in two.
constexpr size_t kSlack = 128;
constexpr size_t kTailBytes =
    BoundedText::kMaxBytes - BoundedText::kHeadBytes - kSlack;

}  // namespace

void BoundedText::AddLine(absl::string_view line) {
  if (size_ > 0) Add("\n");
  Add(line);
}

void BoundedText::Clear() { *this = BoundedText(); }

void BoundedText::Add(absl::string_view bytes) {
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

std::string BoundedText::ToString() const {
  absl::string_view tail = tail_;
  if (tail.size() > kTailBytes) tail.remove_prefix(tail.size() - kTailBytes);
  const size_t left_out = size_ - head_.size() - tail.size();
  const std::string text =
      left_out == 0
          ? absl::StrCat(head_, tail)
          : absl::StrCat(head_, "\n[", left_out, " bytes left out]\n", tail);
  return IsValidUtf8(text) ? text : ReplaceInvalidUtf8(text);
}

}  // namespace goplugin::internal

#include "goplugin/internal/serve/stdout_buffer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace goplugin::internal {

void StdoutBuffer::Append(absl::string_view data) {
  appended_ += data.size();
  Keep(data);
}

void StdoutBuffer::Keep(absl::string_view data) {
  if (data.size() > capacity_) {
    const std::size_t excess = data.size() - capacity_;
    dropped_ += excess;
    data.remove_prefix(excess);
    dropped_ += size();
    DropFront(size());
  } else if (size() + data.size() > capacity_) {
    const std::size_t excess = size() + data.size() - capacity_;
    dropped_ += excess;
    DropFront(excess);
  }
  data_.append(data.data(), data.size());
}

std::string StdoutBuffer::Take(std::size_t max_bytes) {
  std::string piece;
  if (dropped_ > 0) {
    piece = absl::StrCat("[goplugin: ", dropped_,
                         " bytes of stdout dropped, nobody read them]\n");
  }
  note_bytes_ = piece.size();
  noted_ = std::exchange(dropped_, 0);
  const std::size_t bytes = std::min(max_bytes, size());
  piece.append(data_, start_, bytes);
  DropFront(bytes);
  return piece;
}

void StdoutBuffer::PutBack(absl::string_view piece) {
  std::string newer = data_.substr(start_);
  data_.clear();
  start_ = 0;
  // The note is made anew, with what is dropped now as well.
  piece.remove_prefix(note_bytes_);
  dropped_ += noted_;
  Keep(piece);
  Keep(newer);
}

void StdoutBuffer::DropFront(std::size_t bytes) {
  start_ += bytes;
  if (start_ < size()) return;
  data_.erase(0, start_);
  start_ = 0;
}

}  // namespace goplugin::internal

#include "goplugin/internal/log/line_splitter.h"

#include <algorithm>

namespace goplugin::internal {
namespace {

// A buffer larger than this is given back when its line has ended.
constexpr size_t kSmallBuffer = size_t{4} * 1024;
constexpr size_t kLongestUtf8 = 4;

bool ContinuesCharacter(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// Length of the piece to cut from the front of `line`, which is longer than
// kMaxLineBytes.
size_t PieceLength(absl::string_view line) {
  size_t length = LineSplitter::kMaxLineBytes;
  const size_t least = length - (kLongestUtf8 - 1);
  while (length > least && ContinuesCharacter(line[length])) --length;
  return ContinuesCharacter(line[length]) ? LineSplitter::kMaxLineBytes
                                          : length;
}

absl::string_view WithoutCarriageReturn(absl::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

}  // namespace

void LineSplitter::Feed(absl::string_view bytes, Emit emit) {
  while (!bytes.empty()) {
    const size_t newline = bytes.find('\n');
    if (newline == absl::string_view::npos) return Keep(bytes, emit);
    const absl::string_view line = bytes.substr(0, newline);
    if (kept_.empty()) {
      EndLine(line, emit);
    } else {
      Keep(line, emit);
      EndLine(kept_, emit);
      kept_.clear();
      if (kept_.capacity() > kSmallBuffer) kept_ = std::string();
    }
    bytes.remove_prefix(newline + 1);
  }
}

void LineSplitter::Finish(Emit emit) {
  if (!kept_.empty() || in_pieces_) EndLine(kept_, emit);
  kept_ = std::string();
}

// Adds to kept_, and gives pieces while it is too long for a line.
void LineSplitter::Keep(absl::string_view bytes, Emit emit) {
  while (!bytes.empty()) {
    const size_t room = kMaxLineBytes + 1 - kept_.size();
    const size_t taken = std::min(room, bytes.size());
    kept_.append(bytes.begin(), bytes.begin() + taken);
    bytes.remove_prefix(taken);
    if (kept_.size() <= kMaxLineBytes) return;
    const size_t length = PieceLength(kept_);
    in_pieces_ = true;
    emit(absl::string_view(kept_).substr(0, length), true);
    kept_.erase(0, length);
  }
}

void LineSplitter::EndLine(absl::string_view line, Emit emit) {
  while (line.size() > kMaxLineBytes) {
    const size_t length = PieceLength(line);
    emit(line.substr(0, length), true);
    line.remove_prefix(length);
  }
  in_pieces_ = false;
  emit(WithoutCarriageReturn(line), false);
}

}  // namespace goplugin::internal

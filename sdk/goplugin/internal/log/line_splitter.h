#ifndef GOPLUGIN_INTERNAL_LOG_LINE_SPLITTER_H_
#define GOPLUGIN_INTERNAL_LOG_LINE_SPLITTER_H_

#include <cstddef>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace goplugin::internal {

// Cuts a stream of bytes into lines.
//
// Lines end with '\n'; one '\r' before it is removed, other bytes, NUL
// included, stay. A line longer than kMaxLineBytes is given in pieces of about
// that length, cut between two UTF-8 characters where there are any. What comes
// out does not depend on how the bytes were cut when they came in.
//
// Costs: linear; a line that lies whole within one Feed is not copied; at most
// kMaxLineBytes and 1 byte are kept between two calls.
//
// Thread safety: none.
class LineSplitter {
 public:
  static constexpr size_t kMaxLineBytes = size_t{64} * 1024;

  // `continues` is true for every piece of an over-long line but its last one,
  // which may be empty. To know a piece from a whole line, remember `continues`
  // of the call before: both are false for a whole line. `line` is valid during
  // the call only.
  using Emit = absl::FunctionRef<void(absl::string_view line, bool continues)>;

  void Feed(absl::string_view bytes, Emit emit);

  // Gives the last line, if it had no newline. The splitter is as new then.
  void Finish(Emit emit);

 private:
  void Keep(absl::string_view bytes, Emit emit);
  void EndLine(absl::string_view line, Emit emit);

  // The start of an unfinished line, less the pieces already given.
  std::string kept_;
  // A piece of the unfinished line was given.
  bool in_pieces_ = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_LINE_SPLITTER_H_

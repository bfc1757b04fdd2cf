#ifndef GOPLUGIN_INTERNAL_LOG_CRASH_REPORT_H_
#define GOPLUGIN_INTERNAL_LOG_CRASH_REPORT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "goplugin/internal/log/bounded_text.h"

namespace goplugin::internal {

// Recognises what a dying program writes to its stderr, line by line:
//   Go's "panic: " and "fatal error: ", C++'s uncaught exception,
//   AddressSanitizer:
//     from that line to the end;
//   Rust's panic: up to the next line that tells a level;
//   Python's traceback: up to and including the line of its exception, with the
//     tracebacks it is chained to.
//
// Thread safety: none.
class CrashReport {
 public:
  // Takes a line of valid UTF-8 that told no level; true when it belongs to a
  // report. `continued`: it is the rest of a line whose start was taken before.
  bool Add(absl::string_view line, bool continued);

  // A line that told its level came in between.
  void SkipTagged();

  // The last report, bounded; "" when there was none.
  std::string text() const { return text_.ToString(); }

 private:
  enum class State {
    kNone,
    kToTheEnd,
    kToTheNextTagged,
    kTraceback,       // before the line of the exception
    kAfterTraceback,  // behind it: another traceback may be chained
    kGroup,           // a traceback of an exception group, which is indented
  };

  State Begin(absl::string_view line) const;
  bool AddStart(absl::string_view line);
  // In a traceback; true when `line` belongs to it.
  bool AddToTraceback(absl::string_view line);

  State state_ = State::kNone;
  BoundedText text_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_CRASH_REPORT_H_

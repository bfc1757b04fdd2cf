#ifndef EXAMPLES_HOST_CONSOLE_H_
#define EXAMPLES_HOST_CONSOLE_H_

#include <cstdio>
#include <mutex>

#include "absl/strings/string_view.h"

namespace host {

// Writes entries for people: a tag, a column, a text.
//
//   phase     ready          14.2 ms
//   get       hello = world
//
// In colour on a terminal, unless NO_COLOR is set.
// Thread safety: all methods, from any thread. The SDK calls back on threads of
// its own, and lines must not mix.
class Console {
 public:
  enum class Tone { kPlain, kFaint, kGood, kWarning, kBad };

  // Entries on stdout. Text of several lines stays in its column.
  void Say(absl::string_view tag, absl::string_view text,
           Tone tone = Tone::kPlain);
  // The same on stderr.
  void Complain(absl::string_view tag, absl::string_view text,
                Tone tone = Tone::kPlain);

 private:
  std::mutex mutex_;
};

}  // namespace host

#endif  // EXAMPLES_HOST_CONSOLE_H_

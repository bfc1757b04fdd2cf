#ifndef GOPLUGIN_INTERNAL_HANDSHAKE_LINE_PLACE_H_
#define GOPLUGIN_INTERNAL_HANDSHAKE_LINE_PLACE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "goplugin/internal/handshake/handshake_response.h"

namespace goplugin::internal {

// Where in one line of a plugin's stdout its handshake line may begin.
struct LinePlace {
  enum class Kind {
    kNone,      // nowhere: noise
    kFront,     // where the line does: digits and '|'
    kInside,    // behind other text: the one place that reads "1|", a version
                // that the host offered, and "|unix|" or "|tcp|"; or where none
                // does, the one with any two numbers
    kUnclear,   // at several such places
    kTwoBytes,  // in UTF-16, which no host reads
  };

  Kind kind = Kind::kNone;
  // What stands before it, and from there on. Both without the white space
  // around them, and parts of the text or of `storage`.
  absl::string_view before;
  absl::string_view line;
};

// `text` as a program means it: without a byte order mark, sequences for a
// terminal and white space around it. A part of `text` or of `*storage`.
absl::string_view PlainLine(absl::string_view text, std::string* storage);

// Looks at the front of `text`, a PlainLine.
LinePlace PlaceAtFront(absl::string_view text);

// Looks behind the front. Linear in the text.
LinePlace PlaceInside(absl::string_view text, const HandshakePolicy& policy);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_HANDSHAKE_LINE_PLACE_H_

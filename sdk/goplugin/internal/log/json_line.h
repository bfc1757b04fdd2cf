#ifndef GOPLUGIN_INTERNAL_LOG_JSON_LINE_H_
#define GOPLUGIN_INTERNAL_LOG_JSON_LINE_H_

#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "goplugin/internal/log/fields.h"

namespace goplugin::internal {

// Reads lines that are JSON objects. Keeps its buffers from line to line, but
// no large ones.
//
// Thread safety: none.
class JsonLine {
 public:
  JsonLine();
  ~JsonLine();
  JsonLine(const JsonLine&) = delete;
  JsonLine& operator=(const JsonLine&) = delete;

  // The members of the object in their order; strings as they are, other values
  // as JSON text. Members of an object "fields" that holds a "message" (Rust's
  // tracing) count as the line's own. False, and `*fields` unspecified, when
  // `text`, which must be valid UTF-8, is no JSON object, or one with more than
  // kMaxFields members, or one nested deeper than 1024. Linear in `text`.
  //
  // Taken as well, though not JSON: numbers of any length, NaN, lone
  // surrogates, bare control characters in strings.
  bool Read(absl::string_view text, std::vector<Field>* fields);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_JSON_LINE_H_

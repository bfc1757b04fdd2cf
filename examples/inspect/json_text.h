#ifndef EXAMPLES_INSPECT_JSON_TEXT_H_
#define EXAMPLES_INSPECT_JSON_TEXT_H_

#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "examples/inspect/json_values.h"

namespace inspect {

// JSON under way, up to a size: a few bytes of a plugin's may stand for much
// more of it.
class JsonText {
 public:
  explicit JsonText(std::size_t most) : most_(most) {}

  void Append(absl::string_view json) {
    if (!full()) text_.append(json.data(), json.size());
  }
  // It has grown beyond its size, and takes no more: it is no JSON then.
  bool full() const { return text_.size() > most_; }
  std::string Take() { return std::move(text_); }

 private:
  const std::size_t most_;
  std::string text_;
};

// An object or an array: the brackets, and the commas between what is appended
// in its lifetime.
class JsonList {
 public:
  // `brackets`: "{}" or "[]".
  JsonList(const char* brackets, JsonText& text)
      : brackets_(brackets), text_(text) {
    text_.Append(brackets_.substr(0, 1));
  }
  ~JsonList() { text_.Append(brackets_.substr(1)); }
  JsonList(const JsonList&) = delete;
  JsonList& operator=(const JsonList&) = delete;

  // Comes before each element, and with its name before each member.
  void Next() {
    if (!empty_) text_.Append(",");
    empty_ = false;
  }
  void Next(absl::string_view name) {
    Next();
    text_.Append(JsonString(name));
    text_.Append(":");
  }

 private:
  const absl::string_view brackets_;
  JsonText& text_;
  bool empty_ = true;
};

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_JSON_TEXT_H_

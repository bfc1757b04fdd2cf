#include "goplugin/internal/log/key_values.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/types/optional.h"
#include "goplugin/internal/text/utf8.h"

namespace goplugin::internal {
namespace {

bool IsKeyCharacter(unsigned char c) {
  return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-' ||
         c == '/' || c == '@';
}

// Length of the key at the front of `text`, 0 without a key and its '='.
size_t KeyLength(absl::string_view text) {
  size_t length = 0;
  while (length < text.size() && IsKeyCharacter(text[length])) ++length;
  const bool has_equals = length < text.size() && text[length] == '=';
  return has_equals ? length : 0;
}

struct Pair {
  absl::string_view key;
  absl::string_view value;  // without its quotes, with its brackets
  bool quoted = false;
  size_t end = 0;  // offset behind the pair
};

// The matching brackets of a text may be looked at this many times: a pair that
// fails is left behind, and those within its brackets are read for themselves.
constexpr size_t kMaxPasses = 8;

// Reads pairs out of one text. Remembers what has no end in it, so that a text
// full of opening quotes is not searched to its end for each of them.
class PairReader {
 public:
  explicit PairReader(absl::string_view text)
      : text_(text), steps_left_(kMaxPasses * text.size()) {}

  // Brackets within brackets took too many steps: what was read since then is
  // worth nothing.
  bool gave_up() const { return gave_up_; }

  absl::optional<Pair> Read(size_t at) {
    const size_t key = KeyLength(text_.substr(at));
    if (key == 0) return absl::nullopt;
    const size_t start = at + key + 1;
    Pair pair;
    pair.key = text_.substr(at, key);
    const size_t close = FindClose(start);
    if (close == absl::string_view::npos) {
      pair.end = std::min(text_.find(' ', start), text_.size());
      pair.value = text_.substr(start, pair.end - start);
      return pair;
    }
    pair.end = close + 1;
    if (pair.end < text_.size() && text_[pair.end] != ' ') return absl::nullopt;
    pair.quoted = text_[start] == '"' || text_[start] == '\'';
    pair.value = pair.quoted ? text_.substr(start + 1, close - start - 1)
                             : text_.substr(start, pair.end - start);
    return pair;
  }

 private:
  // Offset of what closes the value that starts at `start`; npos for a value
  // that nothing closes.
  size_t FindClose(size_t start) {
    if (start >= text_.size()) return absl::string_view::npos;
    const size_t kind = absl::string_view("\"'[{(").find(text_[start]);
    if (kind == absl::string_view::npos || unclosed_[kind]) {
      return absl::string_view::npos;
    }
    const size_t close = kind < 2 ? FindQuote(start) : FindBracket(start, kind);
    unclosed_[kind] = close == absl::string_view::npos;
    return close;
  }

  size_t FindQuote(size_t start) const {
    for (size_t i = start + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == text_[start]) {
        return i;
      }
    }
    return absl::string_view::npos;
  }

  size_t FindBracket(size_t start, size_t kind) {
    const char open = text_[start];
    const char close = absl::string_view("\"']})")[kind];
    size_t depth = 0;
    for (size_t i = start; i < text_.size(); ++i) {
      if (steps_left_-- == 0) {
        gave_up_ = true;
        break;
      }
      if (text_[i] == open) ++depth;
      if (text_[i] == close && --depth == 0) return i;
    }
    return absl::string_view::npos;
  }

  const absl::string_view text_;
  bool unclosed_[5] = {};  // by kind of opening character
  size_t steps_left_;
  bool gave_up_ = false;
};

std::string ValueOf(const Pair& pair) {
  std::string value;
  if (!pair.quoted || !absl::CUnescape(pair.value, &value)) {
    return std::string(pair.value);
  }
  // An escape such as "\xff" can make what the line itself didn't have.
  return IsValidUtf8(value) ? value : ReplaceInvalidUtf8(value);
}

size_t SkipBlanks(absl::string_view text, size_t at) {
  return std::min(text.find_first_not_of(' ', at), text.size());
}

// Where the pairs at the end of `text` start; its size when there are none.
size_t FindTrailingPairs(absl::string_view text, size_t* count) {
  PairReader reader(text);
  size_t start = text.size();
  for (size_t at = SkipBlanks(text, 0); at < text.size();) {
    const absl::optional<Pair> pair = reader.Read(at);
    if (!pair) {
      start = text.size();
      *count = 0;
      at = SkipBlanks(text, std::min(text.find(' ', at), text.size()));
      continue;
    }
    if (reader.gave_up()) return text.size();
    if (++*count == 1) start = at;
    at = SkipBlanks(text, pair->end);
  }
  return start;
}

}  // namespace

size_t TakeTrailingPairs(absl::string_view text, std::vector<Field>* fields) {
  size_t count = 0;
  const size_t start = FindTrailingPairs(text, &count);
  if (count > kMaxFields) return text.size();
  PairReader reader(text);
  for (size_t at = start; at < text.size();) {
    const absl::optional<Pair> pair = reader.Read(at);
    if (!pair) break;
    fields->emplace_back(std::string(pair->key), ValueOf(*pair));
    at = SkipBlanks(text, pair->end);
  }
  return start;
}

bool StartsWithKey(absl::string_view text) { return KeyLength(text) > 0; }

}  // namespace goplugin::internal

// What a plugin writes to its stderr.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "goplugin/internal/log/line_splitter.h"
#include "goplugin/internal/log/log_parser.h"
#include "goplugin/internal/log/stderr_tail.h"
#include "goplugin/internal/text/utf8.h"

namespace goplugin::internal {
namespace {

constexpr size_t kMaxKept = 16 * 1024;

void Require(bool condition) {
  if (!condition) std::abort();
}

struct Line {
  std::string text;
  bool continues;

  bool operator==(const Line& other) const {
    return text == other.text && continues == other.continues;
  }
};

std::vector<Line> Split(absl::string_view bytes, size_t step) {
  std::vector<Line> lines;
  const auto add = [&lines](absl::string_view line, bool continues) {
    lines.push_back({std::string(line), continues});
  };
  LineSplitter splitter;
  for (size_t at = 0; at < bytes.size(); at += step) {
    splitter.Feed(bytes.substr(at, step), add);
  }
  splitter.Finish(add);
  return lines;
}

void CheckEntry(const LogEntry& entry) {
  Require(IsValidUtf8(entry.message));
  Require(IsValidUtf8(entry.module));
  for (const auto& [key, value] : entry.fields) {
    Require(IsValidUtf8(key));
    Require(IsValidUtf8(value));
  }
}

void ParseAll(const std::vector<Line>& lines) {
  LogParser parser;
  StderrTail tail;
  bool continued = false;
  for (const Line& line : lines) {
    Require(line.text.size() <= LineSplitter::kMaxLineBytes);
    CheckEntry(parser.Parse(line.text, line.continues || continued));
    continued = line.continues;
    tail.Append(line.text);
  }
  for (const std::string& kept :
       {parser.panic(), tail.ToString(), ReadableTail(tail.ToString())}) {
    Require(kept.size() <= kMaxKept);
    Require(IsValidUtf8(kept));
  }
}

}  // namespace
}  // namespace goplugin::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t step = data[0] + size_t{1};
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1,
                                size - 1);
  const auto lines = goplugin::internal::Split(bytes, step);
  goplugin::internal::Require(
      lines == goplugin::internal::Split(bytes, bytes.size() + 1));
  goplugin::internal::ParseAll(lines);
  return 0;
}

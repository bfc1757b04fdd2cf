// What a plugin can make the parser do is linear in what it writes: a text of
// sixteen times the length takes some sixteen times as long, not 256.

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "goplugin/internal/log/line_splitter.h"
#include "goplugin/internal/log/log_parser.h"
#include "goplugin/internal/log/stderr_tail.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

constexpr size_t kShort = size_t{8} * 1024;
constexpr size_t kTimes = 16;
// Half way to quadratic: caches and allocators have their steps, too.
constexpr double kMostTimes = 64;

// head, open..., close..., tail: as many of each as make the size.
struct Shape {
  std::string name, head, open, close, tail;
};

void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

std::string Text(const Shape& shape, size_t size) {
  const size_t count = size / (shape.open.size() + shape.close.size());
  std::string text = shape.head;
  for (size_t i = 0; i < count; ++i) text += shape.open;
  for (size_t i = 0; i < count; ++i) text += shape.close;
  return text + shape.tail;
}

// All that happens to a line, but for the cut at 64 KiB. Of this process alone,
// whatever else the machine does.
double CpuSecondsToRead(const std::string& text) {
  double least = 1e9;
  for (int i = 0; i < 3; ++i) {
    LogParser parser;
    StderrTail tail;
    const std::clock_t start = std::clock();
    absl::string_view rest = text;
    while (!rest.empty()) {
      const absl::string_view line = rest.substr(0, rest.find('\n'));
      parser.Parse(line, false);
      tail.Append(line);
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    }
    parser.panic();
    ReadableTail(tail.ToString());
    const std::clock_t end = std::clock();
    least = std::min(least, static_cast<double>(end - start) / CLOCKS_PER_SEC);
  }
  return least;
}

class LinearTest : public ::testing::TestWithParam<Shape> {};

TEST_P(LinearTest, SixteenTimesTheLength) {
  const double once = CpuSecondsToRead(Text(GetParam(), kShort));
  const double often = CpuSecondsToRead(Text(GetParam(), kTimes * kShort));
  // What the clock can't tell is added to the shorter one.
  EXPECT_LT(often, kMostTimes * (once + 1e-4));
}

// Each behind every front that leads to key=value pairs.
std::vector<Shape> PairShapes() {
  const std::vector<Shape> parts = {
      {"Brackets", "", "k=[ ", "]x ", ""},
      {"Braces", "", "k={ ", "}x ", ""},
      {"Parentheses", "", "k=( ", ")x ", ""},
      {"Mixture", "", "k=[ k={ k=( ", ")x }x ]x ", ""},
      {"MixedWithQuotes", "", "k=[ k=\" k={ k=' ", "'x }x \"x ]x ", ""},
      {"OpenBrackets", "", "k=[ ", "a ", ""},
      {"OpenQuotes", "", "k=\" l=' ", "a ", ""},
      {"QuotesThatFail", "", "k=\"a\"x ", "l='b'x ", ""},
      {"EscapedQuotes", "", "k=\"\\\" ", "\\\\ ", "\""},
      {"Pairs", "", "k=v ", "l=\"w\" ", ""},
      {"Keys", "", "kk", "=", ""},
      {"Blanks", "k=[", " ", " ", "]"},
  };
  const struct {
    const char *name, *text;
  } kFronts[] = {
      {"Logfmt", "level=info "},
      {"Hclog", "2024-01-02T03:04:05.000Z [INFO]  a: b: "},
      {"Structlog", "2024-01-02 03:04:05 [info     ] text "},
  };
  std::vector<Shape> shapes;
  for (const auto& front : kFronts) {
    for (Shape shape : parts) {
      shape.name += front.name;
      shape.head = front.text + shape.head;
      shapes.push_back(shape);
    }
  }
  return shapes;
}

INSTANTIATE_TEST_SUITE_P(Pairs, LinearTest, ::testing::ValuesIn(PairShapes()),
                         [](const auto& info) { return info.param.name; });

std::vector<Shape> JsonShapes() {
  return {
      {"Nested", "{\"a\":", "[", "]", "}"},
      {"NestedObjects", "{\"a\":", "{\"b\":", "}", "}"},
      {"NeverClosed", "{\"a\":", "[", "{", "}"},
      {"ManyFields", "{\"a\":0", ",\"fields\":{\"message\":1}", " ", "}"},
      {"ManyMessages", "{\"fields\":{\"a\":0", ",\"message\":1", " ", "}}"},
      {"NotNumbers", "{\"a\":[0", ",NaN", ",Infinity", "]}"},
      {"LongNumber", "{\"level\":", "1", "0", "}"},
      {"LongTime", "{\"level\":\"info\",\"ts\":\"0.", "1", "0", "\"}"},
      {"HalfSurrogates", "{\"a\":\"", "\\ud800", "\\udc00", "\"}"},
      {"ControlCharacters", "{\"a\":\"", "\x01", "\x02", "\"}"},
      {"Backslashes", "{\"a\":\"", "\\\\", "\\\"", "\"}"},
      {"Quotes", "{", "\"", "\"", "}"},
      {"Words", "{\"a\":", "x", "1", "}"},
      {"OneString", "{\"message\":\"", "a", "b", "\"}"},
  };
}

INSTANTIATE_TEST_SUITE_P(Json, LinearTest, ::testing::ValuesIn(JsonShapes()),
                         [](const auto& info) { return info.param.name; });

std::vector<Shape> OtherShapes() {
  return {
      {"Escapes", "", "\x1b", "[", ""},
      {"EscapesThatDontEnd", "", "\x1b[0", "0", ""},
      {"EscapesThatEnd", "", "\x1b[0m", "a", ""},
      {"NoUtf8", "", "\xff", "\x80", ""},
      {"CharactersCutOff", "", "\xe2\x82", "\xf0\x9f", ""},
      {"Loggers", "2024-01-02 03:04:05 [info     ] a", " [", "]", ""},
      {"Colons", "INFO:", "a:", "b:", ""},
      {"LongLevel", "[", "A", "A", "] a"},
      {"LongUpperWord", "", "A", "A", ": a"},
      {"LongFraction", "2024-01-02T03:04:05.", "1", "0", "Z [INFO] a"},
      {"Dashes", "2024-01-02 03:04:05,000 - ", "- ", " -", ""},
      {"Glog", "I0102 03:04:05.0 1 ", "a:1", "]", ""},
      {"EnvLogger", "[2024-01-02T03:04:05Z INFO  ", "a", "]", ""},
      {"Digits", "", "1", "2", ""},
      {"Panics", "", "panic: a\n", "b\n", ""},
      {"RustPanics", "", "thread 'a' panicked at b\n", "c\n", ""},
      {"Tracebacks", "", "Traceback (most recent call last):\n", "  a\n", ""},
      {"TracebacksThatEnd", "", "Traceback (most recent call last):\n  a\nE\n",
       "\n", ""},
      {"EmptyLines", "", "\n", "\n", ""},
      {"Sanitizer", "==1==ERROR: AddressSanitizer: ", "=", "=\n", ""},
  };
}

INSTANTIATE_TEST_SUITE_P(Others, LinearTest, ::testing::ValuesIn(OtherShapes()),
                         [](const auto& info) { return info.param.name; });

// However the bytes are cut when they come in.
TEST(LinearSplitterTest, ByteByByte) {
  const auto read = [](size_t size) {
    double least = 1e9;
    for (int i = 0; i < 3; ++i) {
      LineSplitter lines;
      const std::clock_t start = std::clock();
      for (size_t at = 0; at < size; ++at) {
        lines.Feed("a", [](absl::string_view, bool) {});
      }
      const std::clock_t end = std::clock();
      least =
          std::min(least, static_cast<double>(end - start) / CLOCKS_PER_SEC);
    }
    return least;
  };
  EXPECT_LT(read(kTimes * 10 * kShort),
            kMostTimes * (read(10 * kShort) + 1e-4));
}

// A line of brackets that are read again and again is text.
TEST(LinearTextTest, NestingWithoutEndIsNotTakenApart) {
  std::string text = "level=info ";
  for (int i = 0; i < 1000; ++i) text += "k=[ ";
  for (int i = 0; i < 1000; ++i) text += "]x ";
  text += "]";
  LogParser parser;
  const LogEntry entry = parser.Parse(text, false);
  EXPECT_EQ(entry.message, text);
  EXPECT_TRUE(entry.fields.empty());
}

}  // namespace
}  // namespace goplugin::internal

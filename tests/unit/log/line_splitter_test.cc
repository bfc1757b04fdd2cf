#include "goplugin/internal/log/line_splitter.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr size_t kMax = LineSplitter::kMaxLineBytes;

// A line as it was given, with a '+' behind it when it continues.
class Collector {
 public:
  void Feed(absl::string_view bytes) {
    splitter_.Feed(bytes, [this](absl::string_view line, bool continues) {
      Add(line, continues);
    });
  }
  void Finish() {
    splitter_.Finish([this](absl::string_view line, bool continues) {
      Add(line, continues);
    });
  }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  void Add(absl::string_view line, bool continues) {
    lines_.push_back(absl::StrCat(line, continues ? "+" : ""));
  }

  LineSplitter splitter_;
  std::vector<std::string> lines_;
};

std::vector<std::string> Split(absl::string_view bytes, size_t step) {
  Collector collector;
  for (size_t at = 0; at < bytes.size(); at += step) {
    collector.Feed(bytes.substr(at, step));
  }
  collector.Finish();
  return collector.lines();
}

TEST(LineSplitterTest, CutsLines) {
  EXPECT_THAT(Split("one\ntwo\n", 99), ElementsAre("one", "two"));
  EXPECT_THAT(Split("one\r\ntwo\r\r\n\rx\n", 99),
              ElementsAre("one", "two\r", "\rx"));
  EXPECT_THAT(Split("\n\nx", 99), ElementsAre("", "", "x"));
  EXPECT_THAT(Split("last\r", 99), ElementsAre("last"));
  EXPECT_THAT(Split("", 99), IsEmpty());
}

TEST(LineSplitterTest, KeepsNulBytes) {
  const std::string bytes("a\0b\n\0\n", 6);
  EXPECT_THAT(Split(bytes, 99),
              ElementsAre(std::string("a\0b", 3), std::string("\0", 1)));
}

TEST(LineSplitterTest, GivesALineOnlyWhenItIsComplete) {
  Collector collector;
  collector.Feed("on");
  EXPECT_THAT(collector.lines(), IsEmpty());
  collector.Feed("e\ntw");
  EXPECT_THAT(collector.lines(), ElementsAre("one"));
  collector.Finish();
  EXPECT_THAT(collector.lines(), ElementsAre("one", "tw"));
  collector.Finish();
  EXPECT_THAT(collector.lines(), ElementsAre("one", "tw"));
}

TEST(LineSplitterTest, WholeLinesOfAFeedAreNotCopied) {
  const std::string bytes = "one\ntwo\n";
  LineSplitter splitter;
  std::vector<const char*> seen;
  splitter.Feed(bytes, [&](absl::string_view line, bool) {
    seen.push_back(line.data());
  });
  EXPECT_THAT(seen, ElementsAre(bytes.data(), bytes.data() + 4));
}

TEST(LineSplitterTest, ALineOfTheGreatestLengthStaysWhole) {
  const std::string line(kMax, 'x');
  for (const size_t step : {size_t{1}, size_t{777}, size_t{1} << 20}) {
    EXPECT_THAT(Split(line + "\ny\n", step), ElementsAre(line, "y"));
    EXPECT_THAT(Split(line, step), ElementsAre(line));
  }
}

TEST(LineSplitterTest, LongerLinesComeInPieces) {
  const std::string a(kMax, 'a'), b(kMax, 'b'), c(7, 'c');
  for (const size_t step : {size_t{1}, size_t{777}, size_t{1} << 20}) {
    EXPECT_THAT(Split(absl::StrCat(a, b, c, "\r\ny\n"), step),
                ElementsAre(a + "+", b + "+", c, "y"));
    EXPECT_THAT(Split(absl::StrCat(a, b, c), step),
                ElementsAre(a + "+", b + "+", c));
    EXPECT_THAT(Split(absl::StrCat(a, b, "\n"), step), ElementsAre(a + "+", b));
    // The last piece of what was too long by its CR only.
    EXPECT_THAT(Split(absl::StrCat(a, "\r\n"), step), ElementsAre(a + "+", ""));
  }
}

TEST(LineSplitterTest, PiecesEndBetweenCharacters) {
  const std::string start(kMax - 1, 'x');
  for (const std::string& character :
       {std::string("\xC3\xA9"), std::string("\xE2\x82\xAC"),
        std::string("\xF0\x9F\x98\x80")}) {
    for (const size_t step : {size_t{1}, size_t{1} << 20}) {
      EXPECT_THAT(Split(absl::StrCat(start, character, "y\n"), step),
                  ElementsAre(start + "+", character + "y"));
    }
  }
}

TEST(LineSplitterTest, BytesThatAreNoTextAreCutAnywhere) {
  const std::string binary(2 * kMax, '\x80');
  const std::string piece = binary.substr(kMax);
  EXPECT_THAT(Split(binary, 999), ElementsAre(piece + "+", piece));
}

}  // namespace
}  // namespace goplugin::internal

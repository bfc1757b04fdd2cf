// Checks seed.md itself: 40 rows in order, each with the verdict Y and at least
// one test, and each test in the file that it says.

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

// A line of the table: number, aspect, what is done, verdict, tests.
struct Row {
  std::string number;
  std::string verdict;
  std::vector<std::string> tests;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(RunfilePath(path));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Trim(absl::string_view text) {
  return std::string(absl::StripAsciiWhitespace(text));
}

// What stands between back quotes.
std::vector<std::string> Quoted(const std::string& cell) {
  std::vector<std::string> quoted;
  const std::vector<std::string> pieces = absl::StrSplit(cell, '`');
  for (size_t i = 1; i < pieces.size(); i += 2) quoted.push_back(pieces[i]);
  return quoted;
}

std::vector<Row> ReadRows() {
  std::vector<Row> rows;
  std::istringstream text(ReadFile("tests/conformance/seed.md"));
  const std::regex numbered("^\\| [0-9]+ \\|.*");
  for (std::string line; std::getline(text, line);) {
    if (!std::regex_match(line, numbered)) continue;
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 7) {
      ADD_FAILURE() << cells.size() - 2 << " cells: " << line;
      continue;
    }
    rows.push_back({Trim(cells[1]), Trim(cells[4]), Quoted(cells[5])});
  }
  return rows;
}

// `test` is "PATH: SUITE.TEST", or with "/CASE" a row of that test's table.
// Returns what is wrong.
std::string Problem(const std::string& test) {
  std::smatch match;
  if (!std::regex_match(
          test, match,
          std::regex("([a-z0-9_/]+\\.cc): (\\w+)\\.(\\w+)(/(\\w+))?"))) {
    return "not of the form PATH: SUITE.TEST";
  }
  const std::string source = ReadFile(match[1]);
  if (source.empty()) return "no such file, or not in this test's data";
  // The formatter may break the line between the two names.
  const std::regex definition(absl::StrCat("TEST(_F|_P)?\\(", match[2].str(),
                                           ",\\s*", match[3].str(), "\\)"));
  if (!std::regex_search(source, definition)) return "no such test";
  if (match[5].matched &&
      !absl::StrContains(source, absl::StrCat("{\"", match[5].str(), "\","))) {
    return "no such case";
  }
  return "";
}

TEST(SeedTable, EveryRowHasItsTests) {
  const std::vector<Row> rows = ReadRows();
  EXPECT_EQ(rows.size(), 40u);
  for (size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(absl::StrCat("row ", i + 1));
    EXPECT_EQ(rows[i].number, absl::StrCat(i + 1));
    EXPECT_EQ(rows[i].verdict, "Y");
    EXPECT_FALSE(rows[i].tests.empty());
    for (const std::string& test : rows[i].tests) {
      EXPECT_EQ(Problem(test), "") << test;
    }
  }
}

// The check can fail.
TEST(SeedTable, NoticesWhatIsMissing) {
  const std::string path = "tests/conformance/seed_check_test.cc: ";
  EXPECT_EQ(Problem(path + "SeedTable.NoticesWhatIsMissing"), "");
  EXPECT_NE(Problem(path + "SeedTable.NoSuchTest"), "");
  EXPECT_NE(Problem(path + "SeedTable.NoticesWhatIsMissing/NoCase"), "");
  EXPECT_NE(Problem("tests/conformance/none.cc: SeedTable.Missing"), "");
  EXPECT_NE(Problem("SeedTable.NoticesWhatIsMissing"), "");
}

}  // namespace
}  // namespace goplugin::testing

#include "tests/conformance/markdown_table.h"

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

std::string ReadRunfile(const std::string& path) {
  std::ifstream file(RunfilePath(path));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::vector<std::string>> ReadTable(const std::string& text,
                                                const std::string& heading,
                                                std::size_t columns) {
  std::vector<std::vector<std::string>> rows;
  bool below = false;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    below = below || line == heading;
    if (!below) continue;
    if (!absl::StartsWith(line, "|")) {
      if (rows.empty()) continue;
      break;
    }
    // Nothing stands before the first and after the last line.
    std::vector<std::string> cells = absl::StrSplit(line, '|');
    cells = {cells.begin() + 1, cells.end() - 1};
    EXPECT_EQ(cells.size(), columns) << line;
    cells.resize(columns);
    for (std::string& cell : cells) absl::StripAsciiWhitespace(&cell);
    rows.push_back(std::move(cells));
  }
  EXPECT_GT(rows.size(), 2u) << "no table below " << heading;
  rows.erase(rows.begin(), rows.size() < 2 ? rows.end() : rows.begin() + 2);
  return rows;
}

std::vector<std::string> BackQuoted(const std::string& cell) {
  std::vector<std::string> quoted;
  const std::vector<std::string> pieces = absl::StrSplit(cell, '`');
  for (std::size_t i = 1; i < pieces.size(); i += 2) {
    quoted.push_back(pieces[i]);
  }
  return quoted;
}

std::string TestProblem(const std::string& test) {
  std::smatch match;
  if (!std::regex_match(
          test, match,
          std::regex("([a-z0-9_/]+\\.cc): (\\w+)\\.(\\w+)(/(\\w+))?"))) {
    return "not of the form PATH: SUITE.TEST";
  }
  const std::string source = ReadRunfile(match[1]);
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

}  // namespace goplugin::testing

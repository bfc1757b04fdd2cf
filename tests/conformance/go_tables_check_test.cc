// Checks README.md's two tables of go-plugin: its tests, and what it exports.
// No row lacks its verdict, what a row says of this SDK exists, and, where
// go-plugin's source is at hand, nothing of it is left out.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tests/conformance/go_source.h"
#include "tests/conformance/markdown_table.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr char kReadme[] = "tests/conformance/README.md";

// "file: function", what it shows, our tests, verdict.
Rows TestsTable() {
  return ReadTable(ReadRunfile(kReadme), "## go-plugin's tests",
                   /*columns=*/4);
}

// Names, what they are here, verdict.
Rows ExportsTable() {
  return ReadTable(ReadRunfile(kReadme), "## What go-plugin exports",
                   /*columns=*/3);
}

// Everything in back quotes in the first column; each only once.
std::set<std::string> FirstColumn(const Rows& rows) {
  std::set<std::string> names;
  for (const std::vector<std::string>& row : rows) {
    for (const std::string& name : BackQuoted(row[0])) {
      EXPECT_TRUE(names.insert(name).second) << name << " stands there twice";
    }
  }
  return names;
}

bool IsOurs(const std::string& verdict) {
  return verdict == "ours" || verdict == "ours, better";
}

// "" for a verdict that says something.
std::string VerdictProblem(const std::string& verdict) {
  if (IsOurs(verdict) || verdict == "net/rpc only") return "";
  absl::string_view why = verdict;
  if (absl::ConsumePrefix(&why, "not applicable: ") ||
      absl::ConsumePrefix(&why, "not yet: ")) {
    if (!why.empty()) return "";
  }
  return absl::StrCat("no verdict: \"", verdict, "\"");
}

// Every word of every public header.
std::set<std::string> PublicWords() {
  std::set<std::string> words;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           RunfilePath("sdk/goplugin"))) {
    if (entry.path().extension() != ".h") continue;
    std::ifstream file(entry.path());
    const std::string text(std::istreambuf_iterator<char>(file), {});
    for (const absl::string_view word :
         absl::StrSplit(text, absl::ByAnyChar(" \t\n\"(){}[]<>;:,.&*=~/'"))) {
      words.emplace(word);
    }
  }
  return words;
}

// The first word of `name`, as "Client::Ping(timeout)", that is in no public
// header; "" when all are.
std::string UnknownWord(const std::string& name,
                        const std::set<std::string>& known) {
  const std::regex word("[A-Za-z_]\\w*");
  for (std::sregex_iterator it(name.begin(), name.end(), word), end; it != end;
       ++it) {
    if (known.count(it->str()) == 0) return it->str();
  }
  return "";
}

// The Go files of a directory, by name: tests, or all others.
std::map<std::string, std::string> GoFiles(const std::string& directory,
                                           bool tests) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (!absl::EndsWith(name, ".go")) continue;
    if (absl::EndsWith(name, "_test.go") != tests) continue;
    std::ifstream file(entry.path());
    files[name].assign(std::istreambuf_iterator<char>(file), {});
  }
  return files;
}

// Tests that look into go-plugin's source.
class GoSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!source_.empty()) return;
    const std::string missing =
        "go-plugin's source is neither in GOPLUGIN_PEERS (which "
        "tests/conformance/peers.sh fills) nor in Go's module cache";
    const char* require = getenv("GOPLUGIN_REQUIRE_PEERS");
    if (require != nullptr && std::string(require) == "1") FAIL() << missing;
    GTEST_SKIP() << missing;
  }

  const std::string source_ = FindGoPlugin();
};

TEST(GoTestsTable, EveryRowHasItsVerdictAndItsTests) {
  for (const std::vector<std::string>& row : TestsTable()) {
    SCOPED_TRACE(row[0]);
    EXPECT_EQ(VerdictProblem(row[3]), "");
    const std::vector<std::string> tests = BackQuoted(row[2]);
    EXPECT_FALSE(IsOurs(row[3]) && tests.empty()) << "names no test";
    for (const std::string& test : tests) {
      EXPECT_EQ(TestProblem(test), "") << test;
    }
  }
}

TEST(GoExportsTable, EveryRowHasItsVerdictAndNamesWhatExists) {
  const std::set<std::string> known = PublicWords();
  for (const std::vector<std::string>& row : ExportsTable()) {
    SCOPED_TRACE(row[0]);
    EXPECT_EQ(VerdictProblem(row[2]), "");
    const std::vector<std::string> names = BackQuoted(row[1]);
    EXPECT_FALSE(IsOurs(row[2]) && names.empty()) << "names nothing";
    for (const std::string& name : names) {
      EXPECT_EQ(UnknownWord(name, known), "") << name;
    }
  }
}

TEST_F(GoSourceTest, NoTestOfGoPluginIsLeftOut) {
  std::set<std::string> all;
  for (const char* room : {"", "internal/cmdrunner/"}) {
    for (const auto& [file, text] :
         GoFiles(absl::StrCat(source_, "/", room), /*tests=*/true)) {
      for (const std::string& function : TestFunctions(text)) {
        all.insert(absl::StrCat(room, file, ": ", function));
      }
    }
  }
  EXPECT_EQ(FirstColumn(TestsTable()), all);
}

TEST_F(GoSourceTest, NothingThatGoPluginExportsIsLeftOut) {
  std::set<std::string> all;
  for (const auto& [file, text] : GoFiles(source_, /*tests=*/false)) {
    all.merge(ExportedNames(text));
  }
  for (const auto& [file, text] :
       GoFiles(source_ + "/runner", /*tests=*/false)) {
    for (const std::string& name : ExportedNames(text)) {
      all.insert("runner." + name);
    }
  }
  EXPECT_EQ(FirstColumn(ExportsTable()), all);
}

// The checks can fail.
TEST(GoTablesCheck, NoticesWhatIsMissing) {
  EXPECT_EQ(VerdictProblem("ours, better"), "");
  EXPECT_EQ(VerdictProblem("not applicable: it can't be written down"), "");
  EXPECT_NE(VerdictProblem(""), "");
  EXPECT_NE(VerdictProblem("not applicable: "), "");
  EXPECT_NE(VerdictProblem("maybe"), "");
  const std::set<std::string> known = PublicWords();
  EXPECT_EQ(UnknownWord("Client::Ping", known), "");
  EXPECT_EQ(UnknownWord("Client::NoSuchMethod", known), "NoSuchMethod");
}

TEST(GoSource, ReadsWhatGoDeclares) {
  const std::string source = R"(package plugin

// Comments name Things too.
const One = 1

var (
	Two = 2
	three = 3
)

type Struct struct {
	Embedded
	Min, Max uint
	hidden   int
}

type Interface interface {
	Method(int) error
}

type Name string

func (s *Struct) Do() {
	NotThis()
}

func (s *secret) Do() {}

func Make() *Struct { return nil }

func TestMake(t *testing.T) {}

func BenchmarkMake(b *testing.B) {}
)";
  EXPECT_EQ(ExportedNames(source),
            (std::set<std::string>{"One", "Two", "Struct", "Struct.Embedded",
                                   "Struct.Min", "Struct.Max", "Interface",
                                   "Interface.Method", "Name", "Struct.Do",
                                   "Make", "TestMake", "BenchmarkMake"}));
  EXPECT_EQ(TestFunctions(source),
            (std::set<std::string>{"TestMake", "BenchmarkMake"}));
}

}  // namespace
}  // namespace goplugin::testing

// Checks seed.md itself: 40 rows in order, each with the verdict Y and at least
// one test, and each test in the file that it says.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/conformance/markdown_table.h"

namespace goplugin::testing {
namespace {

TEST(SeedTable, EveryRowHasItsTests) {
  // Number, aspect, what is done, verdict, tests.
  const std::vector<std::vector<std::string>> rows =
      ReadTable(ReadRunfile("tests/conformance/seed.md"),
                "# The reference's rows", /*columns=*/5);
  EXPECT_EQ(rows.size(), 40u);
  for (size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(absl::StrCat("row ", i + 1));
    EXPECT_EQ(rows[i][0], absl::StrCat(i + 1));
    EXPECT_EQ(rows[i][3], "Y");
    const std::vector<std::string> tests = BackQuoted(rows[i][4]);
    EXPECT_FALSE(tests.empty());
    for (const std::string& test : tests) {
      EXPECT_EQ(TestProblem(test), "") << test;
    }
  }
}

// The check can fail.
TEST(SeedTable, NoticesWhatIsMissing) {
  const std::string path = "tests/conformance/seed_check_test.cc: ";
  EXPECT_EQ(TestProblem(path + "SeedTable.NoticesWhatIsMissing"), "");
  EXPECT_NE(TestProblem(path + "SeedTable.NoSuchTest"), "");
  EXPECT_NE(TestProblem(path + "SeedTable.NoticesWhatIsMissing/NoCase"), "");
  EXPECT_NE(TestProblem("tests/conformance/none.cc: SeedTable.Missing"), "");
  EXPECT_NE(TestProblem("SeedTable.NoticesWhatIsMissing"), "");
}

}  // namespace
}  // namespace goplugin::testing

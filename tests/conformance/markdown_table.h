#ifndef TESTS_CONFORMANCE_MARKDOWN_TABLE_H_
#define TESTS_CONFORMANCE_MARKDOWN_TABLE_H_

#include <cstddef>
#include <string>
#include <vector>

namespace goplugin::testing {

// The file at a path of the workspace; "" when it is not in the test's data.
std::string ReadRunfile(const std::string& path);

// The rows, without the two head lines, of the first table below `heading`, a
// line of the text. Each has `columns` cells; others are failures of the test.
std::vector<std::vector<std::string>> ReadTable(const std::string& text,
                                                const std::string& heading,
                                                std::size_t columns);

// What stands between back quotes.
std::vector<std::string> BackQuoted(const std::string& cell);

// `test` is "PATH: SUITE.TEST", or with "/CASE" a row of that test's table.
// Returns what is wrong: "" when the file, which must be in the test's data,
// has it.
std::string TestProblem(const std::string& test);

}  // namespace goplugin::testing

#endif  // TESTS_CONFORMANCE_MARKDOWN_TABLE_H_

#ifndef TESTS_CONFORMANCE_GO_SOURCE_H_
#define TESTS_CONFORMANCE_GO_SOURCE_H_

#include <set>
#include <string>

namespace goplugin::testing {

// What a Go file, as gofmt writes it, declares. No more of Go is understood
// than the tables of README.md need.

// Test and benchmark functions.
std::set<std::string> TestFunctions(const std::string& source);

// Exported functions, types, constants and variables, and as "Type.Name"
// methods of exported types, exported fields, and methods of interfaces.
std::set<std::string> ExportedNames(const std::string& source);

// The directory of go-plugin v1.8.0's source: what peers.sh left in
// GOPLUGIN_PEERS, or Go's module cache. "" when there is none.
std::string FindGoPlugin();

}  // namespace goplugin::testing

#endif  // TESTS_CONFORMANCE_GO_SOURCE_H_

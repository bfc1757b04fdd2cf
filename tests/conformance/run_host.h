#ifndef TESTS_CONFORMANCE_RUN_HOST_H_
#define TESTS_CONFORMANCE_RUN_HOST_H_

#include <simdjson.h>

#include <string>
#include <utility>
#include <vector>

namespace goplugin::testing {

// A program to run to its end, as a person would from a shell.
struct HostCommand {
  std::vector<std::string> argv;
  std::string working_directory;
  // NAME=VALUE, beside this process's environment and in place of what it has.
  std::vector<std::string> env = {};
  // Where its stdout is kept meanwhile.
  std::string output_file;
};

struct HostResult {
  // 128 + n after signal n.
  int exit_code = -1;
  std::string output;
};

HostResult RunHost(const HostCommand& command);

// A Go host that can't talk to its plugin kills it, and sweeps nothing: this
// removes the socket that then stays in `directory`, and the socket's own
// directory.
void RemoveWhatTheHostLeft(const std::string& directory);

// The JSON object that a host printed. Values are named by JSON pointer:
// "/steps/0/value". What is missing is "", -1 or false.
class HostReport {
 public:
  explicit HostReport(const std::string& json);

  bool valid() const { return valid_; }
  std::string Text(const std::string& pointer) const;
  int Number(const std::string& pointer) const;
  bool Flag(const std::string& pointer) const;
  // Whether there is such a value, of whatever kind.
  bool Has(const std::string& pointer) const;

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
  bool valid_ = false;
};

}  // namespace goplugin::testing

#endif  // TESTS_CONFORMANCE_RUN_HOST_H_

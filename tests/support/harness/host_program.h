#ifndef TESTS_SUPPORT_HARNESS_HOST_PROGRAM_H_
#define TESTS_SUPPORT_HARNESS_HOST_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace goplugin::testing {

// How a host's process ended, and what it left.
struct HostEnd {
  // As waitpid has it.
  int status = -1;
  bool hung = false;
  // Whether somebody who had the host's stdin, as a plugin by Stdin::kInherit,
  // lives on.
  bool heirs = false;
  // The end of what it wrote to stderr.
  std::string words;
};

// Runs a host program that uses the SDK to its end. `environment` comes on top
// of this process's own, "NAME=value" each. One that is not gone after `limit`
// is killed. Any number at a time may run, on threads of the test's own.
HostEnd RunHost(const std::vector<std::string>& arguments,
                const std::vector<std::string>& environment,
                absl::Duration limit);

// "exit code 7", "signal 11", with what else is to be said.
std::string Describe(const HostEnd& end);

// Waits for orphans of hosts, which the harness has made this process's
// children, to be gone; those that will not go are killed.
void ReapOrphans();

// The files below `directory`, as paths relative to it.
std::vector<std::string> FilesBelow(const std::string& directory);

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_HARNESS_HOST_PROGRAM_H_

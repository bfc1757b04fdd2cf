#ifndef GOPLUGIN_TESTS_UNIT_PROCESS_PROCESS_TEST_SUPPORT_H_
#define GOPLUGIN_TESTS_UNIT_PROCESS_PROCESS_TEST_SUPPORT_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "goplugin/error.h"
#include "goplugin/internal/process/spawn.h"
#include "gtest/gtest.h"

namespace goplugin::internal {

// A test whose process must have the same descriptors at its end as at its
// start, and no child. Each test has a directory of its own, removed
// afterwards.
class ProcessTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  const std::string& directory() const { return directory_; }
  // The path of a new file in directory().
  std::string WriteFile(const std::string& name, const std::string& content,
                        int mode = 0755);

 private:
  std::set<int> descriptors_;
  std::string directory_;
};

// The test's child program (child.cc), as an absolute path.
std::string ChildProgram();

// Starts ChildProgram() with these arguments and an empty environment.
SpawnRequest ChildRequest(std::vector<std::string> args);

// All that the child writes until it has closed the pipe, at most 30 s.
std::string ReadAll(int fd);

// Waits for the end of the child, by its pidfd or without, and reaps it.
ExitStatus WaitAndReap(const ChildProcess& child);

// Waits for the end of the child without reaping it.
void WaitForExit(const ChildProcess& child);

// The three steps of a start, on this thread and for it.
absl::StatusOr<std::shared_ptr<PreparedSpawn>> Prepare(SpawnRequest request);
absl::StatusOr<ChildProcess> CloneHere(
    const std::shared_ptr<PreparedSpawn>& prepared);
absl::StatusOr<ChildProcess> Spawn(SpawnRequest request);

// ReadAll(stdout), WaitAndReap. An error's text when there is no child.
std::string OutputOf(const absl::StatusOr<ChildProcess>& child);

// The same after Spawn.
std::string OutputOf(const SpawnRequest& request);

// Runs `body` in a forked copy of this process, where it may change what it
// likes. It returns "" or what went wrong; so does this function. The copy must
// leave no children; its descriptors are its own affair.
std::string InFork(const std::function<std::string()>& body);

// Makes every later call of the system call fail in this process, provided that
// its first argument has a bit of `mask` (0: always). False when the kernel
// does not allow that.
bool FailSystemCall(int number, int error_number, unsigned int mask = 0);

// The open descriptors of this process.
std::set<int> OpenDescriptors();

// Gives up all capabilities of this process, for good. False when it can't.
bool DropCapabilities();

// What a spawn must leave as it was in this process: ids, groups, dumpable
// flag, resource limits, nice value, control groups, signal mask, death signal,
// no_new_privs, working directory, umask.
std::string HostState();

// Everything a message of the SDK has to have; empty details otherwise.
ErrorDetails Details(const absl::Status& status);

// The evidence, joined by line ends.
std::string Evidence(const absl::Status& status);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_TESTS_UNIT_PROCESS_PROCESS_TEST_SUPPORT_H_

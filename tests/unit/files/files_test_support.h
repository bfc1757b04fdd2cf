#ifndef GOPLUGIN_TESTS_UNIT_FILES_FILES_TEST_SUPPORT_H_
#define GOPLUGIN_TESTS_UNIT_FILES_FILES_TEST_SUPPORT_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/files/plugin_files.h"
#include "goplugin/internal/process/unique_fd.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {

// A user and a group of nobody.
constexpr uint32_t kUid = 54321;
constexpr uint32_t kGid = 54322;

// Its directory is where any user can reach it, and may be left full.
class FilesTest : public ProcessTest {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Files that go where the test's directory is.
  FilesRequest Request() const;
  Directory Base() const;
};

bool Exists(const std::string& path);
struct stat StatOf(const std::string& path);
mode_t ModeOf(const std::string& path);
void Touch(const std::string& path);
// A socket at that path, bound, and listening if asked to.
UniqueFd BindAt(const std::string& path, bool listens);
// The names in a directory, sorted.
std::vector<std::string> NamesIn(const std::string& path);
// Runs `body` in a forked copy of this process that is another user.
std::string AsUser(uid_t uid, const std::function<std::string()>& body);
// Gives this process, which must be a copy that was forked for it, mounts of
// its own. False where that is not allowed.
bool TakeOwnMounts();

// For what takes root, as which the tests of CI run, outside of a sandbox with
// a single user.
bool MayChangeUsers();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_TESTS_UNIT_FILES_FILES_TEST_SUPPORT_H_

#ifndef TESTS_SUPPORT_HARNESS_HARNESS_TEST_H_
#define TESTS_SUPPORT_HARNESS_HARNESS_TEST_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace goplugin::testing {

// The base of every test that starts plugins. Each test gets a short, empty
// TMPDIR (a socket's path has little room), and at its end nothing may be left:
// no file in it, no child or grandchild, no descriptor, no thread of the SDK.
class HarnessTest : public ::testing::Test {
 protected:
  HarnessTest();
  ~HarnessTest() override;

  void SetUp() override;
  void TearDown() override;

  // The test's own TMPDIR.
  const std::string& temp() const { return temp_; }
  // A file in a directory beside TMPDIR, which may stay until the test ends.
  std::string ScratchPath(const std::string& name) const;

 private:
  std::string root_;
  std::string temp_;
  std::string scratch_;
  std::vector<std::string> before_;
};

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_HARNESS_HARNESS_TEST_H_

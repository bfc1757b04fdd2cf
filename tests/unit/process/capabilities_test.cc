#include "goplugin/internal/process/capabilities.h"

#include <sys/prctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "goplugin/internal/process/raised_rights.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;

constexpr int kIpcLock = 14;
constexpr int kNetAdmin = 12;

class CapabilitiesTest : public ProcessTest {
 protected:
  // A copy of the child that is to be given cap_ipc_lock and cap_net_admin.
  std::string WithCapabilities() {
    std::ifstream source(ChildProgram(), std::ios::binary);
    std::stringstream bytes;
    bytes << source.rdbuf();
    const std::string path = WriteFile("capable", bytes.str());
    const unsigned char set = (1U << kIpcLock | 1U << kNetAdmin) >> 8;
    const unsigned char data[20] = {1, 0, 0, 2, 0, set};
    return setxattr(path.c_str(), "security.capability", data, sizeof data,
                    0) == 0
               ? path
               : "";
  }
};

TEST_F(CapabilitiesTest, HaveNames) {
  EXPECT_EQ(CapabilityNames(0), "");
  EXPECT_EQ(CapabilityNames(1), "cap_chown");
  EXPECT_EQ(CapabilityNames(uint64_t{1} << kIpcLock | uint64_t{1} << 40 |
                            uint64_t{1} << 63),
            "cap_ipc_lock, cap_checkpoint_restore, capability 63");
}

TEST_F(CapabilitiesTest, AreReadFromStatusFiles) {
  const std::string file = WriteFile("status", "Name:\tx\nCapPrm:\t00ff\n");
  EXPECT_EQ(ReadCapabilities(file, "CapPrm"), uint64_t{0xff});
  EXPECT_EQ(ReadCapabilities(file, "CapBnd"), absl::nullopt);
  EXPECT_EQ(ReadCapabilities("/nonexistent", "CapPrm"), absl::nullopt);
}

TEST_F(CapabilitiesTest, AFileWithoutAnyRequiresNone) {
  EXPECT_EQ(RequiredCapabilities(ChildProgram()), absl::nullopt);
}

// Vault's plugins in a container without cap_ipc_lock.
TEST_F(CapabilitiesTest, AProgramThatMayNotHaveThemNamesThem) {
  const std::string path = WithCapabilities();
  if (path.empty()) GTEST_SKIP() << "no file may be given capabilities here";
  EXPECT_EQ(RequiredCapabilities(path),
            uint64_t{1} << kIpcLock | uint64_t{1} << kNetAdmin);
  EXPECT_EQ(InFork([&]() -> std::string {
              if (prctl(PR_CAPBSET_DROP, kIpcLock, 0, 0, 0) != 0) return "drop";
              SpawnRequest request = ChildRequest({"nice"});
              request.command.path = path;
              const absl::Status status = Spawn(request).status();
              EXPECT_EQ(Details(status).reason, Reason::kSpawn);
              EXPECT_THAT(Evidence(status), HasSubstr("errno 1"));
              EXPECT_THAT(Evidence(status), HasSubstr("lacks cap_ipc_lock"));
              EXPECT_THAT(Details(status).hint, HasSubstr("--cap-add"));
              return "";
            }),
            "");
}

TEST_F(CapabilitiesTest, RightsThatAProcessHasNotFromItsStarter) {
  EXPECT_EQ(RaisedRights(getpid(), geteuid()), "");
  EXPECT_THAT(RaisedRights(getpid(), geteuid() + 1),
              HasSubstr("and was started as user"));
}

// As a setgid program has.
TEST_F(CapabilitiesTest, AnotherGroupIsARaisedRight) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may take another group";
  const gid_t own = getegid();
  ASSERT_EQ(setegid(own + 1), 0);
  const std::string rights = RaisedRights(getpid(), geteuid());
  ASSERT_EQ(setegid(own), 0);
  EXPECT_THAT(rights, HasSubstr("and was started with group"));
}

}  // namespace
}  // namespace goplugin::internal

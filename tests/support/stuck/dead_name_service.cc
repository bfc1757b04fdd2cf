#include "tests/support/stuck/dead_name_service.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

namespace goplugin::testing {
namespace {

constexpr char kGroups[] = "/etc/group";

}  // namespace

// The file of groups becomes a pipe into which nobody writes, in a view of the
// file system that only this thread and its own have.
DeadNameService::DeadNameService(std::string pipe) : pipe_(std::move(pipe)) {
  EXPECT_EQ(mkfifo(pipe_.c_str(), 0644), 0);
  EXPECT_EQ(unshare(CLONE_NEWNS), 0);
  EXPECT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  EXPECT_EQ(mount(pipe_.c_str(), kGroups, nullptr, MS_BIND, nullptr), 0);
}

DeadNameService::~DeadNameService() {
  Fail();
  unlink(pipe_.c_str());
}

// The file is as it was for whoever comes from now on, and those that wait see
// its end.
void DeadNameService::Fail() {
  umount2(kGroups, MNT_DETACH);
  const int writer = open(pipe_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (writer >= 0) close(writer);
}

}  // namespace goplugin::testing

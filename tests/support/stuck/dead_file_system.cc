#include "tests/support/stuck/dead_file_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace goplugin::testing {

// A FUSE file system whose daemon does not even answer the kernel's greeting.
DeadFileSystem::DeadFileSystem(std::string path)
    : path_(std::move(path)), fuse_(open("/dev/fuse", O_RDWR | O_CLOEXEC)) {
  EXPECT_GE(fuse_, 0);
  EXPECT_EQ(mkdir(path_.c_str(), 0755), 0);
  const std::string options =
      absl::StrCat("fd=", fuse_, ",rootmode=40000,user_id=0,group_id=0");
  EXPECT_EQ(mount("dead", path_.c_str(), "fuse", 0, options.c_str()), 0);
}

DeadFileSystem::~DeadFileSystem() {
  Fail();
  EXPECT_EQ(umount2(path_.c_str(), MNT_DETACH), 0);
  EXPECT_EQ(rmdir(path_.c_str()), 0);
}

void DeadFileSystem::Fail() {
  if (fuse_ >= 0) close(fuse_);
  fuse_ = -1;
}

}  // namespace goplugin::testing

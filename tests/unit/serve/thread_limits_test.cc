#include "goplugin/internal/serve/thread_limits.h"

#include <map>
#include <string>

#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

constexpr std::uint64_t kWanted = 20;

// A system's files. At first a laptop's, with room for all.
class ThreadLimitsTest : public ::testing::Test {
 protected:
  bool AreFar() const {
    return ThreadLimitsAreFar(
        kWanted, limits_, [this](const std::string& path) {
          const auto found = files_.find(path);
          return found == files_.end() ? "" : found->second;
        });
  }

  ResourceLimits limits_;
  std::map<std::string, std::string> files_ = {
      {"/proc/loadavg", "0.20 0.18 0.12 1/1500 11206\n"},
      {"/proc/sys/kernel/threads-max", "126000\n"},
      {"/proc/sys/kernel/pid_max", "4194304\n"},
      {"/proc/sys/vm/overcommit_memory", "0\n"},
      {"/proc/self/cgroup", "0::/user.slice/user-1000.slice/vte.scope\n"},
      {"/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n"},
      {"/sys/fs/cgroup/user.slice/pids.max", "max\n"},
      {"/sys/fs/cgroup/user.slice/user-1000.slice/pids.max", "41000\n"},
      {"/sys/fs/cgroup/user.slice/user-1000.slice/pids.current", "900\n"},
      {"/sys/fs/cgroup/user.slice/user-1000.slice/vte.scope/pids.max", "max\n"},
  };
};

TEST_F(ThreadLimitsTest, AreFarOnALaptop) { EXPECT_TRUE(AreFar()); }

TEST_F(ThreadLimitsTest, TheUsersIsNear) {
  limits_.processes = 63000;
  EXPECT_TRUE(AreFar());
  // As far as the system's threads may all be this user's.
  limits_.processes = 1600;
  EXPECT_FALSE(AreFar());
}

TEST_F(ThreadLimitsTest, TheSystemsIsNear) {
  files_["/proc/sys/kernel/threads-max"] = "1520\n";
  EXPECT_FALSE(AreFar());
  files_["/proc/sys/kernel/threads-max"] = "126000\n";
  files_["/proc/sys/kernel/pid_max"] = "1600\n";
  EXPECT_FALSE(AreFar());
}

TEST_F(ThreadLimitsTest, AnOuterGroupsIsNear) {
  files_["/sys/fs/cgroup/user.slice/pids.max"] = "1000\n";
  files_["/sys/fs/cgroup/user.slice/pids.current"] = "995\n";
  EXPECT_FALSE(AreFar());
  files_["/sys/fs/cgroup/user.slice/pids.current"] = "100\n";
  EXPECT_TRUE(AreFar());
}

TEST_F(ThreadLimitsTest, TheOwnGroupsIsNear) {
  files_["/sys/fs/cgroup/user.slice/user-1000.slice/vte.scope/pids.max"] = "9";
  EXPECT_FALSE(AreFar());
  files_["/sys/fs/cgroup/user.slice/user-1000.slice/vte.scope/pids.current"] =
      "3";
  EXPECT_FALSE(AreFar());
}

TEST_F(ThreadLimitsTest, InAContainersOwnNamespace) {
  files_["/proc/self/cgroup"] = "0::/\n";
  EXPECT_TRUE(AreFar());
  files_["/sys/fs/cgroup/pids.max"] = "100\n";
  files_["/sys/fs/cgroup/pids.current"] = "7\n";
  EXPECT_FALSE(AreFar());
}

TEST_F(ThreadLimitsTest, Version1) {
  files_["/proc/self/cgroup"] =
      "9:name=systemd:/\n8:cpuset,pids:/docker/5ad\n0::/system.slice\n";
  EXPECT_FALSE(AreFar()) << "not mounted where it should be";
  const std::string root = "/sys/fs/cgroup/cpuset,pids";
  // As a container without a namespace sees its group: as the root.
  files_[root + "/pids.max"] = "max\n";
  EXPECT_TRUE(AreFar());
  files_[root + "/docker/5ad/pids.max"] = "30\n";
  files_[root + "/docker/5ad/pids.current"] = "20\n";
  EXPECT_FALSE(AreFar());
}

TEST_F(ThreadLimitsTest, Version1InTheOutermostGroup) {
  files_["/proc/self/cgroup"] = "8:pids:/\n";
  EXPECT_FALSE(AreFar()) << "not mounted";
  files_["/sys/fs/cgroup/pids/notify_on_release"] = "0\n";
  EXPECT_TRUE(AreFar());
}

TEST_F(ThreadLimitsTest, RationedMemoryIsNear) {
  limits_.address_space = 1u << 30;
  EXPECT_FALSE(AreFar());
  limits_.address_space = RLIM_INFINITY;
  limits_.data = 1u << 30;
  EXPECT_FALSE(AreFar());
  limits_.data = RLIM_INFINITY;
  files_["/proc/sys/vm/overcommit_memory"] = "2\n";
  EXPECT_FALSE(AreFar());
}

// Whichever file can't be read or makes no sense: it has to be tried.
TEST_F(ThreadLimitsTest, WhatCantBeSeenIsNear) {
  const std::map<std::string, std::string> all = files_;
  for (const char* path :
       {"/proc/loadavg", "/proc/sys/kernel/threads-max",
        "/proc/sys/kernel/pid_max", "/proc/sys/vm/overcommit_memory",
        "/proc/self/cgroup",
        "/sys/fs/cgroup/user.slice/user-1000.slice/pids.current"}) {
    for (const char* text :
         {"", "nonsense", "0.0 0.0", "0.1 0.1 0.1 0/0 0", "8:pids:group"}) {
      SCOPED_TRACE(std::string(path) + " is " + text);
      files_[path] = text;
      EXPECT_FALSE(AreFar());
      files_ = all;
    }
  }
}

}  // namespace
}  // namespace goplugin::internal

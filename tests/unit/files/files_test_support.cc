#include "tests/unit/files/files_test_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

namespace goplugin::internal {

void FilesTest::SetUp() {
  ProcessTest::SetUp();
  ASSERT_EQ(chmod(directory().c_str(), 0755), 0);
}

void FilesTest::TearDown() {
  for (const std::string& name : NamesIn(directory())) {
    std::filesystem::remove_all(directory() + "/" + name);
  }
  ProcessTest::TearDown();
}

FilesRequest FilesTest::Request() const {
  FilesRequest request;
  request.place.option = directory();
  return request;
}

Directory FilesTest::Base() const {
  absl::StatusOr<Directory> base = Directory::Open(directory());
  EXPECT_TRUE(base.ok()) << base.status();
  return base.ok() ? *std::move(base) : Directory();
}

bool Exists(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0;
}

struct stat StatOf(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(lstat(path.c_str(), &info), 0) << path;
  return info;
}

mode_t ModeOf(const std::string& path) { return StatOf(path).st_mode & 07777; }

void Touch(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_TRUE(fd.valid()) << path;
}

UniqueFd BindAt(const std::string& path, bool listens) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<struct sockaddr*>(&address),
                 sizeof(address)),
            0)
      << path;
  if (listens) {
    EXPECT_EQ(listen(fd.get(), 5), 0);
  }
  return fd;
}

std::vector<std::string> NamesIn(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(opendir(path.c_str()),
                                                   &closedir);
  while (const dirent* entry = stream ? readdir(stream.get()) : nullptr) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string AsUser(uid_t uid, const std::function<std::string()>& body) {
  return InFork([&]() -> std::string {
    if (setgroups(0, nullptr) != 0 || setresgid(kGid, kGid, kGid) != 0 ||
        setresuid(uid, uid, uid) != 0) {
      return "can't change the user";
    }
    return body();
  });
}

bool TakeOwnMounts() {
  return unshare(CLONE_NEWNS) == 0 &&
         mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

bool MayChangeUsers() {
  std::ifstream map("/proc/self/uid_map");
  unsigned long inside = 1, outside = 0, count = 0;
  map >> inside >> outside >> count;
  return geteuid() == 0 && inside == 0 && count > kUid;
}

}  // namespace goplugin::internal

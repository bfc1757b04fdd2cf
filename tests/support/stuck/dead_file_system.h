#ifndef TESTS_SUPPORT_STUCK_DEAD_FILE_SYSTEM_H_
#define TESTS_SUPPORT_STUCK_DEAD_FILE_SYSTEM_H_

#include <string>

namespace goplugin::testing {

// A directory on which every call waits, as on an NFS server that is gone,
// while this lives. Afterwards they fail, with ENOTCONN. Takes root.
class DeadFileSystem {
 public:
  // Makes the directory `path`, and mounts there.
  explicit DeadFileSystem(std::string path);
  ~DeadFileSystem();
  DeadFileSystem(const DeadFileSystem&) = delete;
  DeadFileSystem& operator=(const DeadFileSystem&) = delete;

  // Lets all that wait fail; the mount stays.
  void Fail();
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  const std::string path_;
  int fuse_ = -1;
};

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_STUCK_DEAD_FILE_SYSTEM_H_

#include "goplugin/internal/files/removal.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/internal/files/directory_reader.h"
#include "goplugin/internal/files/file_identity.h"
#include "goplugin/internal/files/time_limit.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {
namespace {

// To ask for the time costs about as much as to remove a file.
constexpr int kEntriesPerLook = 32;

class TreeRemover {
 public:
  TreeRemover(int parent, std::string name, const TimeLimit& limit)
      : parent_(parent), name_(std::move(name)), limit_(limit) {}

  Removal Run();

 private:
  // One directory on the way down to where the work is.
  struct Level {
    std::string name;
    DirectoryReader reader;
    // Something in it was removed since its first entry was read.
    bool progress = false;
  };

  void RemoveEntry(const dirent& entry);
  void EnterOrMoveUp(const std::string& name);
  UniqueFd OpenOwn(int parent, const std::string& name) const;
  bool IsOwn(const FileIdentity& directory) const;
  void LeaveLevel();
  bool TimeIsOver();

  const int parent_;
  const std::string name_;
  const TimeLimit limit_;
  FileIdentity root_;
  std::vector<Level> levels_;
  int until_look_ = 0;
  bool removed_ = false;
};

Removal TreeRemover::Run() {
  if (unlinkat(parent_, name_.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
    return Removal::kDone;
  }
  const absl::optional<FileIdentity> root = IdentifyAt(parent_, name_);
  if (!root.has_value()) return Removal::kStuck;
  root_ = *root;
  EnterOrMoveUp(name_);
  while (!levels_.empty()) {
    if (TimeIsOver()) return Removal::kMore;
    const dirent* entry = levels_.back().reader.Next();
    if (entry != nullptr) {
      RemoveEntry(*entry);
    } else {
      LeaveLevel();
    }
  }
  return removed_ ? Removal::kDone : Removal::kStuck;
}

void TreeRemover::RemoveEntry(const dirent& entry) {
  Level& level = levels_.back();
  const int fd = level.reader.fd();
  // Not every file system tells the type.
  if ((entry.d_type != DT_DIR && unlinkat(fd, entry.d_name, 0) == 0) ||
      unlinkat(fd, entry.d_name, AT_REMOVEDIR) == 0) {
    level.progress = true;
  } else if (errno == ENOTEMPTY || errno == EEXIST) {
    EnterOrMoveUp(entry.d_name);
  }
}

// What can't be entered stays, and so does all above it.
void TreeRemover::EnterOrMoveUp(const std::string& name) {
  const int parent = levels_.empty() ? parent_ : levels_.back().reader.fd();
  const UniqueFd own = OpenOwn(parent, name);
  if (!own.valid()) return;
  if (levels_.size() < kMaxRemovalDepth) {
    Level level;
    level.name = name;
    level.reader = DirectoryReader(own.get());
    if (level.reader.valid()) levels_.push_back(std::move(level));
    return;
  }
  Level& root = levels_.front();
  if (renameat(parent, name.c_str(), root.reader.fd(),
               RandomName("m").c_str()) == 0) {
    root.progress = true;
    levels_.back().progress = true;
  }
}

// A descriptor of a directory from which this user may remove things; none of
// one that is not to be touched.
UniqueFd TreeRemover::OpenOwn(int parent, const std::string& name) const {
  UniqueFd path(openat(parent, name.c_str(),
                       O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!path.valid()) return {};
  const absl::optional<FileIdentity> found = Identify(path.get());
  if (!found.has_value() || !IsOwn(*found)) return {};
  if (faccessat(path.get(), ".", R_OK | W_OK | X_OK, AT_EACCESS) == 0) {
    return path;
  }
  // A host that is not root, but may give files away, may take them back.
  const std::string itself = absl::StrCat("/proc/self/fd/", path.get());
  if ((found->uid != geteuid() &&
       fchownat(path.get(), "", geteuid(), static_cast<gid_t>(-1),
                AT_EMPTY_PATH) != 0) ||
      chmod(itself.c_str(), 0700) != 0) {
    return {};
  }
  return path;
}

// A plugin can move here only what it may write to. So what is this user's and
// nobody else may write to was made here, or taken back a moment ago.
bool TreeRemover::IsOwn(const FileIdentity& directory) const {
  return directory.IsOnMountOf(root_) &&
         (directory.uid == root_.uid ||
          (directory.uid == geteuid() && (directory.mode & 022) == 0));
}

// At the end of a directory: removes it, or reads it once more if anything has
// changed, as entries may have come, or been passed over, meanwhile.
void TreeRemover::LeaveLevel() {
  Level& level = levels_.back();
  const bool is_root = levels_.size() == 1;
  const int parent =
      is_root ? parent_ : levels_[levels_.size() - 2].reader.fd();
  const bool removed =
      unlinkat(parent, level.name.c_str(), AT_REMOVEDIR) == 0 ||
      errno == ENOENT;
  if (!removed && level.progress) {
    level.progress = false;
    level.reader.Rewind();
    return;
  }
  levels_.pop_back();
  if (is_root) {
    removed_ = removed;
  } else if (removed) {
    levels_.back().progress = true;
  }
}

bool TreeRemover::TimeIsOver() {
  if (--until_look_ > 0) return false;
  until_look_ = kEntriesPerLook;
  return limit_.Passed();
}

}  // namespace

Removal RemoveTree(const Directory& parent, const std::string& name,
                   const TimeLimit& limit) {
  return TreeRemover(parent.fd(), name, limit).Run();
}

}  // namespace goplugin::internal

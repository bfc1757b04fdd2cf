#include "goplugin/internal/files/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "goplugin/internal/files/announced_socket.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/files/directory_reader.h"
#include "goplugin/internal/files/file_identity.h"
#include "goplugin/internal/files/mark.h"
#include "goplugin/internal/files/outer_directory.h"
#include "goplugin/internal/files/time_limit.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// A socket's path has 107 bytes at most: deeper than that nobody can be told
// of one.
constexpr size_t kMaxDepth = 50;

// Looks for a socket that somebody may listen at, in a directory and all below
// it.
class SocketSearch {
 public:
  explicit SocketSearch(const TimeLimit& limit) : limit_(limit) {}

  // Yes in doubt: also when the time is over or something can't be read.
  bool MayHaveListener(const Directory& directory) {
    if (!Enter(directory)) return true;
    while (!levels_.empty()) {
      if (limit_.Passed()) return true;
      const dirent* entry = levels_.back().reader.Next();
      if (entry == nullptr) {
        levels_.pop_back();
      } else if (!LooksDead(*entry)) {
        return true;
      }
    }
    return false;
  }

 private:
  struct Level {
    Directory directory;
    DirectoryReader reader;
  };

  bool Enter(const Directory& directory) {
    const absl::optional<FileIdentity> root = Identify(directory.fd());
    absl::StatusOr<Directory> own = directory.OpenDirectory(".");
    if (!root.has_value() || !own.ok()) return false;
    root_ = *root;
    return Push(*std::move(own));
  }

  bool Push(Directory directory) {
    DirectoryReader reader(directory.fd());
    if (!reader.valid()) return false;
    levels_.push_back({std::move(directory), std::move(reader)});
    return true;
  }

  // False where something may live. Not every file system tells the type.
  bool LooksDead(const dirent& entry) {
    const Directory& directory = levels_.back().directory;
    if (entry.d_type == DT_SOCK || entry.d_type == DT_UNKNOWN) {
      if (AskSocket(directory, entry.d_name) == Answer::kUnknown) return false;
    }
    const bool may_be_directory =
        entry.d_type == DT_DIR || entry.d_type == DT_UNKNOWN;
    if (!may_be_directory || levels_.size() >= kMaxDepth) return true;
    const absl::optional<FileIdentity> inner =
        IdentifyAt(directory.fd(), entry.d_name);
    // A mount is not the plugin's place, and may hang.
    if (!inner.has_value() || !S_ISDIR(inner->mode) ||
        !inner->IsOnMountOf(root_)) {
      return true;
    }
    absl::StatusOr<Directory> opened = directory.OpenDirectory(entry.d_name);
    return opened.ok() && Push(*std::move(opened));
  }

  const TimeLimit limit_;
  FileIdentity root_;
  std::vector<Level> levels_;
};

// Empty, of this user and of the mode of one being made: its maker died before
// it was ready, or makes another. What is not empty is not removed by this.
void RemoveUnfinished(const Directory& base, const std::string& name) {
  const absl::StatusOr<Directory> found = base.OpenDirectory(name);
  struct stat info;
  if (!found.ok() || fstat(found->fd(), &info) != 0 ||
      info.st_uid != geteuid() || (info.st_mode & 07777) != kUnfinishedMode ||
      flock(found->fd(), LOCK_EX | LOCK_NB) != 0) {
    return;
  }
  base.RemoveDirectory(name).IgnoreError();
}

class Sweeper {
 public:
  explicit Sweeper(const TimeLimit& limit) : limit_(limit) {}

  void SweepPlace(const std::string& path) {
    absl::StatusOr<Directory> base = Directory::Open(path);
    if (!base.ok()) return;
    DirectoryReader reader(base->fd());
    int looked_at = 0;
    while (const dirent* entry = reader.valid() ? reader.Next() : nullptr) {
      if (limit_.Passed() || looked_at >= kMaxSwept) {
        result_.has_more = true;
        return;
      }
      if (!IsOuterName(entry->d_name) || IsOwnOuterInode(entry->d_ino)) {
        continue;
      }
      ++looked_at;
      SweepOne(*base, entry->d_name);
    }
  }

  const SweepResult& result() const { return result_; }

 private:
  void SweepOne(const Directory& base, const std::string& name) {
    const std::unique_ptr<OuterDirectory> outer =
        OuterDirectory::TakeOver(base.path(), name);
    if (outer == nullptr) return RemoveUnfinished(base, name);
    if (MarkMayLive(outer->directory()) ||
        SocketSearch(limit_).MayHaveListener(outer->directory())) {
      return outer->Keep();
    }
    const Removal removal = outer->RemoveSome(limit_);
    if (removal == Removal::kDone) ++result_.removed;
    if (removal == Removal::kMore) result_.has_more = true;
    // What is stuck is tried once, not again as the object goes.
    outer->Keep();
  }

  const TimeLimit limit_;
  SweepResult result_;
};

// When this process swept which place, for as long as that matters.
class Turns {
 public:
  // Whether it is `path`'s turn, which it has then had.
  bool Take(const std::string& path) {
    MutexLock lock(mutex_);
    for (auto at = swept_.begin(); at != swept_.end();) {
      at = at->second.Passed() ? swept_.erase(at) : std::next(at);
    }
    return swept_.emplace(path, kSweepPause).second;
  }
  void GiveBack(const std::string& path) {
    MutexLock lock(mutex_);
    swept_.erase(path);
  }

 private:
  absl::Mutex mutex_;
  std::map<std::string, TimeLimit> swept_ ABSL_GUARDED_BY(mutex_);
};

Turns& TurnsOfThisProcess() {
  // Never destroyed: a launch may be under way as the process exits.
  static auto* const turns = new Turns;
  return *turns;
}

}  // namespace

SweepResult SweepDead(const PlaceRequest& request, const TimeLimit& limit) {
  Sweeper sweeper(limit);
  for (const Place& place : FindPlaces(request)) {
    if (!place.path.empty()) sweeper.SweepPlace(place.path);
  }
  return sweeper.result();
}

void SweepDeadInTurn(const PlaceRequest& request, const TimeLimit& limit) {
  Turns& turns = TurnsOfThisProcess();
  for (const Place& place : FindPlaces(request)) {
    if (place.path.empty() || !turns.Take(place.path)) continue;
    Sweeper sweeper(limit);
    sweeper.SweepPlace(place.path);
    if (sweeper.result().has_more) turns.GiveBack(place.path);
  }
}

}  // namespace goplugin::internal

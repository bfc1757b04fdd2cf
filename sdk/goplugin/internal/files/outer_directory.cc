#include "goplugin/internal/files/outer_directory.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/files/bound_socket.h"
#include "goplugin/internal/files/directory_reader.h"
#include "goplugin/internal/files/file_error.h"
#include "goplugin/internal/files/file_identity.h"
#include "goplugin/internal/files/time_limit.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

constexpr mode_t kMode = 0711;
// A sweep that is quicker than the lock, or takes it for a moment, costs one.
constexpr int kMaxTries = 100;

class OwnInodes {
 public:
  void Add(std::uint64_t inode) {
    MutexLock lock(mutex_);
    inodes_.insert(inode);
  }
  void Remove(std::uint64_t inode) {
    MutexLock lock(mutex_);
    const auto found = inodes_.find(inode);
    if (found != inodes_.end()) inodes_.erase(found);
  }
  bool Has(std::uint64_t inode) {
    MutexLock lock(mutex_);
    return inodes_.count(inode) > 0;
  }

 private:
  absl::Mutex mutex_;
  std::multiset<std::uint64_t> inodes_ ABSL_GUARDED_BY(mutex_);
};

OwnInodes& Inodes() {
  // Never destroyed: a client may be, after main.
  static auto* const inodes = new OwnInodes;
  return *inodes;
}

std::uint64_t InodeOf(const Directory& directory) {
  struct stat info;
  return fstat(directory.fd(), &info) == 0 ? info.st_ino : 0;
}

enum class Lock { kHeld, kElsewhere };

// Some network file systems have no locks: no sweep can have one there either,
// and so none removes anything.
Lock TakeLock(const Directory& directory) {
  const bool refused =
      flock(directory.fd(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  return refused ? Lock::kElsewhere : Lock::kHeld;
}

// Some file systems take no sockets, and it can't be known otherwise.
absl::Status TryToBind(const Directory& directory) {
  constexpr char kName[] = "t";
  absl::StatusOr<UniqueFd> bound =
      BindSocket(directory, kName, 0600, absl::nullopt);
  if (!bound.ok()) return bound.status();
  return directory.Unlink(kName);
}

std::string ProblemIn(const absl::Status& status) {
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  if (!details.has_value()) return std::string(status.message());
  return absl::StrCat(details->what, ": ",
                      absl::StrJoin(details->evidence, "; "));
}

absl::Status NoPlaceError(const PlaceRequest& request,
                          std::vector<std::string> problems,
                          const std::string& hint) {
  ErrorDetails details;
  details.evidence = std::move(problems);
  if (request.option.empty()) {
    details.reason = Reason::kTransport;
    details.what = "no directory for the plugin's sockets could be made";
    details.hint =
        "set the socket directory option, XDG_RUNTIME_DIR or TMPDIR to a "
        "directory with a short path that the host may write to";
  } else {
    details.reason = Reason::kOptions;
    details.what = absl::StrCat("the socket directory ", Quote(request.option),
                                " can't be used");
    details.hint =
        "give an existing directory with a short path that the host may write "
        "to, such as /run/user/<uid> or /tmp, or none";
  }
  if (!hint.empty()) details.hint = hint;
  return MakeError(details);
}

// Missing /proc and missing descriptors are the same everywhere; else "".
std::string HintForAllPlaces(const absl::Status& status) {
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  if (!details.has_value() ||
      (details->hint != kHintForDescriptors && details->hint != kHintForProc)) {
    return "";
  }
  return details->hint;
}

}  // namespace

OuterDirectory::OuterDirectory(Directory base, Directory directory,
                               std::string name)
    : base_(std::move(base)),
      directory_(std::move(directory)),
      name_(std::move(name)),
      owner_(getpid()) {
  const absl::optional<FileIdentity> identity = Identify(directory_.fd());
  if (identity.has_value()) stamp_ns_ = identity->stamp_ns;
  Inodes().Add(InodeOf(directory_));
}

OuterDirectory::~OuterDirectory() {
  if (getpid() != owner_) return;
  Inodes().Remove(InodeOf(directory_));
  RemoveSome(TimeLimit(kRemovalWait));
}

absl::StatusOr<std::unique_ptr<OuterDirectory>> OuterDirectory::Make(
    const PlaceRequest& request) {
  std::vector<std::string> problems;
  std::string hint;
  for (const Place& place : FindPlaces(request)) {
    if (!place.problem.empty()) {
      problems.push_back(place.problem);
      continue;
    }
    absl::StatusOr<std::unique_ptr<OuterDirectory>> made = MakeIn(place.path);
    if (made.ok()) return made;
    problems.push_back(ProblemIn(made.status()));
    hint = HintForAllPlaces(made.status());
  }
  return NoPlaceError(request, std::move(problems), hint);
}

absl::StatusOr<std::unique_ptr<OuterDirectory>> OuterDirectory::MakeIn(
    const std::string& path) {
  absl::StatusOr<Directory> base = Directory::Open(path);
  if (!base.ok()) return base.status();
  for (int i = 0; i < kMaxTries; ++i) {
    // Not of its final mode before it is locked. A sweep removes one of this
    // mode only while it is empty.
    absl::StatusOr<Directory> made =
        base->MakeUniqueDirectory(kOuterPrefix, kUnfinishedMode);
    if (!made.ok()) return made.status();
    std::string name = made->path().substr(made->path().rfind('/') + 1);
    const Lock lock = TakeLock(*made);
    auto result = absl::WrapUnique(new OuterDirectory(
        *std::move(base), *std::move(made), std::move(name)));
    if (lock == Lock::kHeld && result->HasItsName().value_or(false)) {
      // What is made in it is open to whom its mode says, and nobody else.
      fremovexattr(result->directory_.fd(), "system.posix_acl_default");
      absl::Status usable = result->directory_.SetMode(kMode);
      if (usable.ok()) usable = TryToBind(result->directory_);
      if (!usable.ok()) return usable;
      return result;
    }
    result.reset();
    base = Directory::Open(path);
    if (!base.ok()) return base.status();
  }
  return MakeError(Reason::kTransport,
                   absl::StrCat("new directories in ", Quote(path),
                                " are removed as soon as they are made"),
                   "find out what removes them");
}

std::unique_ptr<OuterDirectory> OuterDirectory::TakeOver(
    const std::string& base_path, const std::string& name) {
  if (!IsOuterName(name)) return nullptr;
  absl::StatusOr<Directory> base = Directory::Open(base_path);
  if (!base.ok()) return nullptr;
  absl::StatusOr<Directory> directory = base->OpenDirectory(name);
  struct stat found;
  if (!directory.ok() || fstat(directory->fd(), &found) != 0 ||
      found.st_uid != geteuid() || (found.st_mode & 07777) != kMode ||
      flock(directory->fd(), LOCK_EX | LOCK_NB) != 0) {
    return nullptr;
  }
  auto result = absl::WrapUnique(
      new OuterDirectory(*std::move(base), *std::move(directory), name));
  if (result->HasItsName().value_or(false)) return result;
  result->Keep();
  return nullptr;
}

absl::optional<bool> OuterDirectory::HasItsName() const {
  const absl::optional<FileIdentity> held = Identify(directory_.fd());
  if (!held.has_value()) return absl::nullopt;
  const absl::optional<FileIdentity> named = IdentifyAt(base_.fd(), name_);
  if (named.has_value()) {
    return named->device == held->device && named->inode == held->inode;
  }
  if (errno == ENOENT) return false;
  return absl::nullopt;
}

Removal OuterDirectory::RemoveSome(const TimeLimit& limit) {
  if (is_over_ || getpid() != owner_) return Removal::kDone;
  bool is_stuck = false;
  DirectoryReader reader(directory_.fd());
  while (const dirent* entry = reader.valid() ? reader.Next() : nullptr) {
    const std::string name = entry->d_name;
    if (unlinkat(directory_.fd(), name.c_str(), 0) == 0) continue;
    const Removal removal = RemoveTree(directory_, name, limit);
    if (removal == Removal::kMore) return Removal::kMore;
    is_stuck = is_stuck || removal == Removal::kStuck;
  }
  // Not what somebody else may have put in its place.
  const absl::optional<bool> has_its_name = HasItsName();
  if (!has_its_name.has_value()) return Removal::kStuck;
  if (!is_stuck && *has_its_name) {
    is_stuck = unlinkat(base_.fd(), name_.c_str(), AT_REMOVEDIR) != 0;
  }
  is_over_ = !is_stuck;
  return is_stuck ? Removal::kStuck : Removal::kDone;
}

bool IsOwnOuterInode(std::uint64_t inode) { return Inodes().Has(inode); }

}  // namespace goplugin::internal

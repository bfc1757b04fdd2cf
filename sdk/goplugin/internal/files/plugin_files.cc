#include "goplugin/internal/files/plugin_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/files/file_identity.h"
#include "goplugin/internal/files/find_group.h"
#include "goplugin/internal/files/mark.h"
#include "goplugin/internal/files/time_limit.h"
#include "goplugin/internal/process/held_process.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

constexpr char kLent[] = "l";
constexpr char kDoors[] = "d";
constexpr char kBrokered[] = "b";

// The clock that the kernel stamps files by.
std::int64_t Now() {
  struct timespec now = {};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now.tv_sec * std::int64_t{1000000000} + now.tv_nsec;
}

absl::Status OverError() {
  return MakeError(Reason::kShutDown, "the client has ended",
                   "accept connections while host and plugin run");
}

// "/tmp/goplugin-XXXXXX/l/plugin-1" in its parts.
struct LentPath {
  std::string base;
  std::string outer;
  std::string rest;
};

LentPath Split(const std::string& socket) {
  LentPath path;
  const size_t name = socket.rfind(absl::StrCat("/", kLent, "/"));
  if (name == std::string::npos || name == 0) return path;
  const size_t outer = socket.rfind('/', name - 1);
  if (outer == std::string::npos) return path;
  path.base = outer == 0 ? "/" : socket.substr(0, outer);
  path.outer = socket.substr(outer + 1, name - outer - 1);
  return path;
}

bool IsSame(const Directory& a, const Directory& b) {
  const absl::optional<FileIdentity> first = Identify(a.fd());
  const absl::optional<FileIdentity> second = Identify(b.fd());
  return first.has_value() && second.has_value() &&
         first->device == second->device && first->inode == second->inode;
}

Mark MarkOf(pid_t plugin) {
  Mark mark;
  if (plugin > 0) {
    mark.pid = plugin;
    mark.start_time = ProcessStartTime(plugin).value_or(0);
  }
  return mark;
}

}  // namespace

PluginFiles::PluginFiles(FilesRequest request)
    : request_(std::move(request)), owner_(getpid()), since_ns_(Now()) {}

PluginFiles::~PluginFiles() {
  // The outer directories remove themselves.
  MutexLock lock(mutex_);
  RemoveAnnounced();
}

std::shared_ptr<PluginFiles> PluginFiles::Create(FilesRequest request) {
  return absl::WrapUnique(new PluginFiles(std::move(request)));
}

std::shared_ptr<PluginFiles> PluginFiles::Adopt(const std::string& socket,
                                                FilesRequest request) {
  std::shared_ptr<PluginFiles> files = Create(std::move(request));
  {
    // The plugin is older than this.
    MutexLock lock(files->mutex_);
    files->since_ns_ = absl::nullopt;
  }
  const LentPath path = Split(socket);
  std::unique_ptr<OuterDirectory> outer =
      OuterDirectory::TakeOver(path.base, path.outer);
  if (outer == nullptr) return files;
  absl::StatusOr<Directory> lent = outer->directory().OpenDirectory(kLent);
  if (!lent.ok()) {
    outer->Keep();
    return files;
  }
  MutexLock lock(files->mutex_);
  files->sharing_ = SharingOf(*lent);
  files->lent_ = std::make_shared<const Directory>(*std::move(lent));
  files->is_lent_used_ = true;
  files->outers_.push_back(std::move(outer));
  return files;
}

absl::StatusOr<const OuterDirectory*> PluginFiles::Outer() {
  if (is_over_) return OverError();
  if (!outers_.empty() && outers_.back()->directory().IsAtItsPath()) {
    return outers_.back().get();
  }
  absl::StatusOr<std::unique_ptr<OuterDirectory>> made =
      OuterDirectory::Make(request_.place);
  if (!made.ok()) return made.status();
  outers_.push_back(*std::move(made));
  return outers_.back().get();
}

absl::StatusOr<Sharing> PluginFiles::FindSharing() {
  if (sharing_.has_value()) return *sharing_;
  Sharing sharing;
  if (!request_.group.empty()) {
    absl::StatusOr<gid_t> group = FindGroup(request_.group);
    if (!group.ok()) return group.status();
    sharing.group = *group;
  }
  sharing.user = request_.place.user;
  sharing_ = sharing;
  return sharing;
}

absl::StatusOr<std::shared_ptr<const Directory>> PluginFiles::Lend() {
  MutexLock lock(mutex_);
  return LendLocked();
}

absl::StatusOr<std::shared_ptr<const Directory>> PluginFiles::LendLocked() {
  if (lent_ != nullptr) return lent_;
  absl::StatusOr<Sharing> sharing = FindSharing();
  if (!sharing.ok()) return sharing.status();
  absl::StatusOr<const OuterDirectory*> outer = Outer();
  if (!outer.ok()) return outer.status();
  absl::StatusOr<Directory> made =
      (*outer)->directory().MakeDirectory(kLent, 0700);
  if (!made.ok()) return made.status();
  const absl::Status lent = LendDirectory(*made, *sharing, request_.group);
  if (!lent.ok()) return lent;
  since_ns_ = (*outer)->stamp_ns();
  lent_ = std::make_shared<const Directory>(*std::move(made));
  return lent_;
}

// A name that is taken is of the host before this one.
absl::StatusOr<std::shared_ptr<const Directory>> PluginFiles::MakePlace(
    const std::string& letter) {
  std::shared_ptr<const Directory> parent;
  absl::StatusOr<Directory> made = absl::InternalError("");
  if (request_.sees_only_lent && letter == kBrokered) {
    absl::StatusOr<std::shared_ptr<const Directory>> lent = LendLocked();
    if (!lent.ok()) return lent.status();
    made = (*lent)->MakeUniqueDirectory(letter, 0700);
  } else {
    absl::StatusOr<const OuterDirectory*> outer = Outer();
    if (!outer.ok()) return outer.status();
    struct stat taken;
    const Directory& directory = (*outer)->directory();
    made = fstatat(directory.fd(), letter.c_str(), &taken,
                   AT_SYMLINK_NOFOLLOW) == 0
               ? directory.MakeUniqueDirectory(letter, 0700)
               : directory.MakeDirectory(letter, 0700);
  }
  if (!made.ok()) return made.status();
  return std::make_shared<const Directory>(*std::move(made));
}

absl::StatusOr<SocketPlace> PluginFiles::Doors() {
  MutexLock lock(mutex_);
  if (is_over_) return OverError();
  if (doors_ == nullptr || !doors_->IsAtItsPath()) {
    absl::StatusOr<std::shared_ptr<const Directory>> made = MakePlace(kDoors);
    if (!made.ok()) return made.status();
    doors_ = *std::move(made);
  }
  return SocketPlace{doors_, 0600};
}

absl::StatusOr<SocketPlace> PluginFiles::Brokered() {
  MutexLock lock(mutex_);
  if (is_over_) return OverError();
  absl::StatusOr<Sharing> sharing = FindSharing();
  if (!sharing.ok()) return sharing.status();
  const absl::optional<gid_t> group = sharing->BrokeredGroup();
  if (brokered_ == nullptr || !brokered_->IsAtItsPath()) {
    absl::StatusOr<std::shared_ptr<const Directory>> made =
        MakePlace(kBrokered);
    if (!made.ok()) return made.status();
    if (group.has_value()) {
      const absl::Status opened = OpenToGroup(**made, *group);
      if (!opened.ok()) return opened;
    }
    brokered_ = *std::move(made);
  }
  return SocketPlace{brokered_, group.has_value() ? 0666u : 0600u};
}

absl::StatusOr<OutputFiles> PluginFiles::OpenOutput(
    const std::string& stderr_path) {
  MutexLock lock(mutex_);
  absl::StatusOr<const OuterDirectory*> outer = Outer();
  if (!outer.ok()) return outer.status();
  return OpenOutputFiles((*outer)->directory(), stderr_path);
}

absl::Status PluginFiles::MarkOutliving(pid_t plugin) {
  MutexLock lock(mutex_);
  absl::StatusOr<const OuterDirectory*> outer = Outer();
  if (!outer.ok()) return outer.status();
  return WriteMark((*outer)->directory(), MarkOf(plugin));
}

void PluginFiles::Remember(const Endpoint& endpoint) {
  MutexLock lock(mutex_);
  if (endpoint.network != Endpoint::Network::kUnix || is_lent_used_ ||
      announced_.has_value()) {
    return;
  }
  announced_ = AnnouncedSocket::Find(endpoint.address);
  if (!announced_.has_value() || lent_ == nullptr) return;
  is_lent_used_ = IsSame(announced_->parent(), *lent_) ||
                  absl::StartsWith(endpoint.address, lent_->PathOf(""));
  // It goes with the directory.
  if (is_lent_used_) announced_.reset();
}

void PluginFiles::Keep(pid_t plugin) {
  MutexLock lock(mutex_);
  is_over_ = true;
  announced_.reset();
  // Without a socket nothing leads to the directory any more.
  if (!is_lent_used_) return;
  for (const std::unique_ptr<OuterDirectory>& outer : outers_) {
    // Of one that can't be marked the sockets tell, as long as it has any.
    WriteMark(outer->directory(), MarkOf(plugin)).IgnoreError();
    outer->Keep();
  }
  // And with it the lock: another client may take over.
  outers_.clear();
}

Removal PluginFiles::RemoveSome(const TimeLimit& limit) {
  if (getpid() != owner_) return Removal::kDone;
  MutexLock lock(mutex_);
  is_over_ = true;
  RemoveAnnounced();
  Removal result = Removal::kDone;
  for (const std::unique_ptr<OuterDirectory>& outer : outers_) {
    const Removal removal = outer->RemoveSome(limit);
    if (removal == Removal::kMore) return removal;
    if (removal == Removal::kStuck) result = removal;
  }
  return result;
}

void PluginFiles::RemoveAnnounced() {
  if (!announced_.has_value() || getpid() != owner_) return;
  const absl::optional<Command::User>& user =
      sharing_.has_value() ? sharing_->user : request_.place.user;
  SocketOwner owner;
  owner.uid = user.has_value() ? user->uid : geteuid();
  owner.since_ns = since_ns_;
  leftover_ = announced_->RemoveIfProved(owner);
  announced_.reset();
}

std::string PluginFiles::lent_path() const {
  MutexLock lock(mutex_);
  return lent_ == nullptr ? "" : lent_->path();
}

absl::optional<gid_t> PluginFiles::guests() const {
  MutexLock lock(mutex_);
  if (sharing_.has_value()) return sharing_->BrokeredGroup();
  return Sharing{absl::nullopt, request_.place.user}.BrokeredGroup();
}

std::string PluginFiles::leftover() const {
  MutexLock lock(mutex_);
  return leftover_;
}

}  // namespace goplugin::internal

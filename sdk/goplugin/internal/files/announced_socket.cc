#include "goplugin/internal/files/announced_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {
namespace {

// Whether nobody but root, this user and the plugin's can replace an entry.
bool IsSafe(const FileIdentity& parent, uid_t plugin) {
  const bool trusted =
      parent.uid == 0 || parent.uid == geteuid() || parent.uid == plugin;
  const bool sticky = (parent.mode & S_ISVTX) != 0;
  return trusted && (sticky || (parent.mode & 022) == 0);
}

}  // namespace

absl::optional<AnnouncedSocket> AnnouncedSocket::Find(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (path.empty() || path[0] != '/' || slash + 1 == path.size()) {
    return absl::nullopt;
  }
  absl::StatusOr<Directory> parent =
      Directory::Open(slash == 0 ? "/" : path.substr(0, slash));
  if (!parent.ok()) return absl::nullopt;
  std::string name = path.substr(slash + 1);
  const absl::optional<FileIdentity> identity = IdentifyAt(parent->fd(), name);
  if (!identity.has_value() || !S_ISSOCK(identity->mode)) return absl::nullopt;
  return AnnouncedSocket(*std::move(parent), std::move(name), *identity);
}

std::string AnnouncedSocket::RemoveIfProved(const SocketOwner& owner) const {
  const absl::optional<FileIdentity> now = IdentifyAt(parent_.fd(), name_);
  // Another in its place was never announced.
  if (!now.has_value() || !now->IsSameFile(identity_)) return "";
  std::string doubt = DoubtAbout(owner);
  if (doubt.empty() && unlinkat(parent_.fd(), name_.c_str(), 0) != 0 &&
      errno != ENOENT) {
    doubt = std::strerror(errno);
  }
  if (doubt.empty()) return "";
  return absl::StrCat(
      "the socket ", Quote(parent_.PathOf(name_)),
      ", which the plugin announced, was left where it is: ", doubt);
}

std::string AnnouncedSocket::DoubtAbout(const SocketOwner& owner) const {
  if (identity_.uid != owner.uid) {
    return absl::StrCat("it belongs to user ", identity_.uid,
                        ", and the plugin ran as ", owner.uid);
  }
  if (!owner.since_ns.has_value()) {
    return "this host has not started the plugin, and can't tell its files";
  }
  // The clock has ticks: what is of the same one may be either.
  if (identity_.stamp_ns <= *owner.since_ns) {
    return "it is not younger than the plugin's own directory";
  }
  const absl::optional<FileIdentity> parent = Identify(parent_.fd());
  if (!parent.has_value() || !IsSafe(*parent, owner.uid)) {
    return "other users may replace files in its directory";
  }
  if (AskSocket(parent_, name_) == Answer::kUnknown) {
    return "it does not refuse connections: somebody may listen there";
  }
  return "";
}

Answer AskSocket(const Directory& directory, const std::string& name) {
  const UniqueFd file(
      openat(directory.fd(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) {
    return errno == ENOENT ? Answer::kAbsent : Answer::kUnknown;
  }
  struct stat found;
  if (fstat(file.get(), &found) != 0) return Answer::kUnknown;
  if (!S_ISSOCK(found.st_mode)) return Answer::kAbsent;
  const UniqueFd asking(
      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string path = absl::StrCat("/proc/self/fd/", file.get());
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const bool refused =
      asking.valid() &&
      connect(asking.get(), reinterpret_cast<const struct sockaddr*>(&address),
              sizeof(address)) != 0 &&
      errno == ECONNREFUSED;
  return refused ? Answer::kRefused : Answer::kUnknown;
}

}  // namespace goplugin::internal

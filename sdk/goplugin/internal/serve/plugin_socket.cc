#include "goplugin/internal/serve/plugin_socket.h"

#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

constexpr std::size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;

absl::Status SystemError(absl::string_view what, absl::string_view path,
                         int error, std::string hint) {
  return MakeError(
      Reason::kTransport,
      absl::StrCat(what, " ", Quote(path), ": ", std::strerror(error)),
      std::move(hint));
}

std::string TemporaryDirectory() {
  const char* directory = getenv("TMPDIR");
  return directory != nullptr && *directory != '\0' ? directory : "/tmp";
}

absl::StatusOr<gid_t> FindGroup(const std::string& group) {
  gid_t number = 0;
  if (absl::SimpleAtoi(group, &number)) return number;
  std::vector<char> storage(4096);
  struct group entry;
  struct group* found = nullptr;
  while (getgrnam_r(group.c_str(), &entry, storage.data(), storage.size(),
                    &found) == ERANGE &&
         storage.size() < (std::size_t{1} << 24)) {
    storage.resize(storage.size() * 2);
  }
  if (found == nullptr) {
    return MakeError(Reason::kTransport,
                     absl::StrCat("no group ", Quote(group, 64)),
                     "let the host's socket_group (PLUGIN_UNIX_SOCKET_GROUP) "
                     "name a group of this system, or its number");
  }
  return found->gr_gid;
}

// A path in `directory` that nobody uses: gRPC would remove a socket that is in
// its way.
absl::StatusOr<std::string> UnusedPath(const std::string& directory) {
  std::string path = absl::StrCat(directory, "/pluginXXXXXX");
  if (mkdtemp(&path[0]) == nullptr) {
    return SystemError("can't use the socket directory of", path, errno,
                       "let PLUGIN_UNIX_SOCKET_DIR name a directory this user "
                       "can write to");
  }
  rmdir(path.c_str());
  return path;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PluginSocket>> PluginSocket::Create(
    const std::string& directory, const std::string& group) {
  auto socket = absl::WrapUnique(new PluginSocket());
  if (!group.empty()) {
    absl::StatusOr<gid_t> found = FindGroup(group);
    if (!found.ok()) return found.status();
    socket->group_ = *found;
  }
  if (directory.empty()) {
    absl::Status made = socket->MakeOwnDirectory();
    if (!made.ok()) return made;
    socket->path_ = absl::StrCat(socket->own_directory_, "/s");
  } else {
    absl::StatusOr<std::string> path = UnusedPath(directory);
    if (!path.ok()) return path.status();
    socket->path_ = *std::move(path);
  }
  if (socket->path_.size() > kMaxPath) {
    return MakeError(
        Reason::kTransport,
        absl::StrCat("the socket's path has ", socket->path_.size(), " bytes, ",
                     kMaxPath, " are possible: ", Quote(socket->path_)),
        "use a shorter PLUGIN_UNIX_SOCKET_DIR or TMPDIR");
  }
  return socket;
}

absl::Status PluginSocket::MakeOwnDirectory() {
  std::string path = absl::StrCat(TemporaryDirectory(), "/pluginXXXXXX");
  constexpr char kHint[] = "let TMPDIR name a directory this user can write to";
  if (mkdtemp(&path[0]) == nullptr) {
    return SystemError("can't make the socket directory", path, errno, kHint);
  }
  own_directory_ = path;
  // Entering is all the group needs.
  if (group_ && (chown(path.c_str(), -1, *group_) != 0 ||
                 chmod(path.c_str(), 0710) != 0)) {
    return SystemError("can't give the group access to", path, errno,
                       "let PLUGIN_UNIX_SOCKET_GROUP name a group this user "
                       "belongs to");
  }
  return absl::OkStatus();
}

absl::Status PluginSocket::RestrictAccess() const {
  if (group_ && chown(path_.c_str(), -1, *group_) != 0) {
    return SystemError("can't give the group access to", path_, errno,
                       "let PLUGIN_UNIX_SOCKET_GROUP name a group this user "
                       "belongs to");
  }
  if (chmod(path_.c_str(), group_ ? 0660 : 0600) != 0) {
    return SystemError("can't set the mode of", path_, errno,
                       "check that nothing removes the plugin's socket");
  }
  return absl::OkStatus();
}

void PluginSocket::Remove() {
  if (!path_.empty()) unlink(path_.c_str());
  if (!own_directory_.empty()) rmdir(own_directory_.c_str());
  path_.clear();
  own_directory_.clear();
}

PluginSocket::~PluginSocket() { Remove(); }

PrivateUmask::PrivateUmask() : old_(umask(0077)) {}

PrivateUmask::~PrivateUmask() { umask(old_); }

}  // namespace goplugin::internal

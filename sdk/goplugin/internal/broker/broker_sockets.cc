#include "goplugin/internal/broker/broker_sockets.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/handshake/address.h"

namespace goplugin::internal {
namespace {

absl::Status SystemError(absl::string_view what, const std::string& path) {
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = absl::StrCat(what, " ", Quote(path));
  details.evidence = {std::strerror(errno)};
  details.hint =
      "brokered connections need a socket beside that of the main connection: "
      "keep its directory (else TMPDIR, or /tmp) and the right to write to it";
  return MakeError(details);
}

std::string TemporaryDirectory() {
  const char* directory = getenv("TMPDIR");
  return directory != nullptr && *directory != '\0' ? directory : "/tmp";
}

// Gives `path` the group of `model`.
bool TakeGroup(const std::string& path, const std::string& model) {
  struct stat status;
  return stat(model.c_str(), &status) == 0 &&
         chown(path.c_str(), static_cast<uid_t>(-1), status.st_gid) == 0;
}

// Gives `path` to the owner of `model`.
bool TakeOwner(const std::string& path, const std::string& model) {
  struct stat status;
  return stat(model.c_str(), &status) == 0 &&
         chown(path.c_str(), status.st_uid, static_cast<gid_t>(-1)) == 0;
}

}  // namespace

absl::StatusOr<std::string> BrokerSockets::NextPath() {
  absl::MutexLock lock(&mutex_);
  if (removed_) {
    return MakeError(Reason::kShutDown, "the broker has ended",
                     "accept connections while host and plugin run");
  }
  if (directory_.empty()) {
    absl::Status made = MakeDirectory();
    if (!made.ok()) return made;
  }
  std::string path = absl::StrCat(directory_, "/", ++last_);
  if (path.size() > kMaxUnixPathBytes) {
    return MakeError(
        Reason::kTransport,
        absl::StrCat("the socket's path has ", path.size(), " bytes, ",
                     kMaxUnixPathBytes, " are possible: ", Quote(path)),
        "use a shorter socket directory or TMPDIR");
  }
  return path;
}

absl::Status BrokerSockets::MakeDirectory() {
  const std::string base =
      plan_.directory.empty() ? TemporaryDirectory() : plan_.directory;
  // Short where there is little room, telling where there are others.
  std::string path = absl::StrCat(
      base, plan_.directory.empty() ? "/goplugin-brokerXXXXXX" : "/bXXXXXX");
  if (mkdtemp(&path[0]) == nullptr) {
    return SystemError("can't make a directory for brokered sockets in", base);
  }
  directory_ = path;
  // Entering is all that others need, and nobody else gets as far as here.
  const mode_t mode = plan_.for_owner ? 0711 : plan_.for_group ? 0710 : 0700;
  if ((plan_.for_group && !TakeGroup(path, base)) ||
      chmod(path.c_str(), mode) != 0) {
    return SystemError("can't open to others", path);
  }
  return absl::OkStatus();
}

absl::Status BrokerSockets::RestrictAccess(const std::string& path) const {
  const std::filesystem::path directory =
      std::filesystem::path(path).parent_path();
  if (chmod(path.c_str(), plan_.for_group ? 0660 : 0600) != 0) {
    return SystemError("can't set the mode of the socket", path);
  }
  if ((plan_.for_group && !TakeGroup(path, directory)) ||
      (plan_.for_owner && !TakeOwner(path, directory.parent_path()))) {
    return SystemError("can't give to others", path);
  }
  return absl::OkStatus();
}

void BrokerSockets::Remove() {
  absl::MutexLock lock(&mutex_);
  removed_ = true;
  if (directory_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
  directory_.clear();
}

}  // namespace goplugin::internal

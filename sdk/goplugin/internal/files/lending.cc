#include "goplugin/internal/files/lending.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/files/file_error.h"

namespace goplugin::internal {
namespace {

absl::Status GroupError(const std::string& group, std::string evidence) {
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = absl::StrCat("the socket group ", Quote(group),
                              " can't be used for the socket directory");
  details.evidence = {std::move(evidence)};
  details.hint = "name a group that the host's user is a member of";
  return MakeError(details);
}

absl::Status UserError(const Command::User& user, const std::string& path,
                       int error_number) {
  ErrorDetails details;
  details.reason = Reason::kSpawn;
  details.what = absl::StrCat(
      "the plugin's socket directory could not be given to user ", user.uid);
  details.evidence = {
      FileProblem("changing the owner of", path, error_number),
      absl::StrCat("the host runs as ", geteuid(), ":", getegid())};
  details.hint =
      error_number == EINVAL
          ? "set Command::user to ids that exist in the host's user namespace"
          : "run the host as root or with CAP_CHOWN, CAP_SETUID and "
            "CAP_SETGID, or leave Command::user unset";
  return MakeError(details);
}

bool IsMember(const Command::User& user, gid_t group) {
  return user.gid == group || std::find(user.groups.begin(), user.groups.end(),
                                        group) != user.groups.end();
}

}  // namespace

absl::optional<gid_t> Sharing::BrokeredGroup() const {
  if (!user.has_value()) return group;
  // The plugin itself must get there, whoever else may.
  if (group.has_value() && IsMember(*user, *group)) return group;
  return static_cast<gid_t>(user->gid);
}

absl::Status LendDirectory(const Directory& directory, const Sharing& sharing,
                           const std::string& group_name) {
  constexpr uid_t kSameUser = -1;
  constexpr gid_t kSameGroup = -1;
  if (sharing.group.has_value()) {
    if (fchownat(directory.fd(), "", kSameUser, *sharing.group,
                 AT_EMPTY_PATH) != 0) {
      return GroupError(group_name, FileProblem("changing the group of",
                                                directory.path(), errno));
    }
    absl::Status opened = directory.SetMode(0770);
    if (!opened.ok()) return opened;
  }
  if (!sharing.user.has_value()) return absl::OkStatus();
  const Command::User& user = *sharing.user;
  if (fchownat(directory.fd(), "", user.uid,
               sharing.group.has_value() ? kSameGroup : user.gid,
               AT_EMPTY_PATH) != 0) {
    return UserError(user, directory.path(), errno);
  }
  return absl::OkStatus();
}

absl::Status OpenToGroup(const Directory& directory, gid_t group) {
  if (fchownat(directory.fd(), "", static_cast<uid_t>(-1), group,
               AT_EMPTY_PATH) == 0) {
    return directory.SetMode(0710);
  }
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = absl::StrCat(
      "the directory of brokered sockets can't be opened to group ", group);
  details.evidence = {
      FileProblem("changing the group of", directory.path(), errno),
      absl::StrCat("the host runs as ", geteuid(), ":", getegid())};
  details.hint =
      "run the host as root, with CAP_CHOWN, or as a member of that group";
  return MakeError(details);
}

Sharing SharingOf(const Directory& lent) {
  Sharing sharing;
  struct stat info;
  if (fstat(lent.fd(), &info) != 0) return sharing;
  if ((info.st_mode & 0070) != 0) sharing.group = info.st_gid;
  if (info.st_uid != geteuid()) {
    sharing.user = Command::User{info.st_uid, info.st_gid, {}};
  }
  return sharing;
}

}  // namespace goplugin::internal

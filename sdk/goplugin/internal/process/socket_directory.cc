#include "goplugin/internal/process/socket_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/resolve.h"

namespace goplugin::internal {
namespace {

constexpr char kTemplate[] = "/goplugin-XXXXXX";
// sun_path without its final NUL, and what a socket's name may need of it:
// "/plugin-" and 20 more.
constexpr size_t kSocketPathMax = 107;
constexpr size_t kSocketNameRoom = 28;
constexpr size_t kBaseMax =
    kSocketPathMax - kSocketNameRoom - (sizeof(kTemplate) - 1);

std::string ErrnoText(int error_number, absl::string_view what) {
  return std::string(absl::ErrnoToStatus(error_number, what).message());
}

std::string WithoutTrailingSlashes(std::string path) {
  while (!path.empty() && path.back() == '/') path.pop_back();
  return path;
}

absl::Status GroupError(const std::string& group, std::string evidence,
                        std::string hint) {
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = absl::StrCat("the socket group ", Quote(group),
                              " can't be used for the socket directory");
  details.evidence = {std::move(evidence)};
  details.hint = std::move(hint);
  return MakeError(details);
}

absl::Status UserError(const Command::User& user, const std::string& path,
                       int error_number) {
  ErrorDetails details;
  details.reason = Reason::kSpawn;
  details.what = absl::StrCat(
      "the plugin's socket directory could not be "
      "given to user ",
      user.uid);
  details.evidence = {
      ErrnoText(error_number,
                absl::StrCat("changing the owner of ", Quote(path))),
      absl::StrCat("the host runs as ", geteuid(), ":", getegid())};
  details.hint =
      error_number == EINVAL
          ? "set Command::user to ids that exist in the host's user namespace"
          : "run the host as root or with CAP_CHOWN, CAP_SETUID and "
            "CAP_SETGID, or leave Command::user unset";
  return MakeError(details);
}

absl::StatusOr<gid_t> FindGroup(const std::string& name) {
  std::vector<char> buffer(4096);
  struct group entry;
  struct group* found = nullptr;
  int error_number = 0;
  // Groups with many members need more; 1 MiB is beyond any real one.
  while ((error_number = getgrnam_r(name.c_str(), &entry, buffer.data(),
                                    buffer.size(), &found)) == ERANGE &&
         buffer.size() < (1 << 20)) {
    buffer.resize(buffer.size() * 2);
  }
  if (found != nullptr) return found->gr_gid;
  // As the Go host: a name first, then a number. -1 would mean "no change".
  uint32_t number = 0;
  if (absl::SimpleAtoi(name, &number) &&
      number != std::numeric_limits<uint32_t>::max()) {
    return static_cast<gid_t>(number);
  }
  return GroupError(name,
                    error_number == 0
                        ? "no group of that name exists"
                        : ErrnoText(error_number, "looking up the group"),
                    "give the name of an existing group, or its number");
}

// A fresh directory in `base`, or what stood in the way.
struct Attempt {
  std::string path = {};
  std::string problem = {};
};

Attempt MakeDirectory(const std::string& base) {
  Attempt attempt;
  if (base.size() > kBaseMax) {
    attempt.problem = absl::StrCat(
        Quote(base), " is ", base.size(), " bytes long; at most ", kBaseMax,
        " leave room for a socket's path, which may have ", kSocketPathMax);
    return attempt;
  }
  std::string path = absl::StrCat(base, kTemplate);
  if (mkdtemp(&path[0]) == nullptr) {
    attempt.problem =
        ErrnoText(errno, absl::StrCat("making a directory in ", Quote(base)));
    return attempt;
  }
  attempt.path = std::move(path);
  return attempt;
}

// Whether the mode of one directory lets the user pass.
bool MayPass(const struct stat& directory, const Command::User& user) {
  if (user.uid == 0) return true;
  if (directory.st_uid == user.uid) return (directory.st_mode & 0100) != 0;
  const bool member = directory.st_gid == user.gid ||
                      std::find(user.groups.begin(), user.groups.end(),
                                directory.st_gid) != user.groups.end();
  return (directory.st_mode & (member ? 0010 : 0001)) != 0;
}

// The directory at or above `path` that keeps the user out, "" if none does.
// XDG_RUNTIME_DIR is closed to everybody else.
std::string FindClosed(const std::string& path, const Command::User& user) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    std::string directory = path.substr(0, end);
    struct stat info;
    if (stat(directory.c_str(), &info) == 0 && !MayPass(info, user)) {
      return directory;
    }
    if (end == std::string::npos) return "";
  }
}

Attempt MakeForUser(const std::string& base,
                    const absl::optional<Command::User>& user) {
  const std::string closed =
      user.has_value() ? FindClosed(base, *user) : std::string();
  if (closed.empty()) return MakeDirectory(base);
  Attempt failed;
  failed.problem =
      absl::StrCat("user ", user->uid, " may not enter ", Quote(closed));
  return failed;
}

Attempt MakeInUsualPlaces(const absl::optional<Command::User>& user) {
  std::vector<std::string> problems;
  for (const char* name : {"XDG_RUNTIME_DIR", "TMPDIR", ""}) {
    const char* value = *name == '\0' ? "/tmp" : getenv(name);
    if (value == nullptr || *value == '\0') continue;
    if (*value != '/') {
      problems.push_back(
          absl::StrCat(name, ": ", Quote(value), " is not absolute"));
      continue;
    }
    Attempt attempt = MakeForUser(WithoutTrailingSlashes(value), user);
    if (!attempt.path.empty()) return attempt;
    problems.push_back(std::move(attempt.problem));
  }
  Attempt failed;
  for (const std::string& problem : problems) {
    absl::StrAppend(&failed.problem, failed.problem.empty() ? "" : "; ",
                    problem);
  }
  return failed;
}

absl::StatusOr<std::string> MakeInBase(const std::string& base) {
  // The plugin may have another current directory than the host.
  const std::string absolute =
      absl::StartsWith(base, "/") ? base
                                  : absl::StrCat(CurrentDirectory(), "/", base);
  Attempt attempt = MakeDirectory(WithoutTrailingSlashes(absolute));
  if (!attempt.path.empty()) return std::move(attempt.path);
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what =
      absl::StrCat("the socket directory ", Quote(base), " can't be used");
  details.evidence = {std::move(attempt.problem)};
  details.hint =
      "give an existing directory with a short path that the host may write "
      "to, such as /run/user/<uid> or /tmp, or none";
  return MakeError(details);
}

absl::StatusOr<std::string> Make(const std::string& base,
                                 const absl::optional<Command::User>& user) {
  if (!base.empty()) return MakeInBase(base);
  Attempt attempt = MakeInUsualPlaces(user);
  if (!attempt.path.empty()) return std::move(attempt.path);
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = "no directory for the plugin's sockets could be made";
  details.evidence = {std::move(attempt.problem)};
  details.hint =
      "set the socket directory option, XDG_RUNTIME_DIR or TMPDIR to a "
      "directory with a short path that the host may write to";
  return MakeError(details);
}

// Opens `name` in `parent` if it is a directory itself, not a link to one.
UniqueFd OpenDirectory(int parent, const char* name) {
  return UniqueFd(
      openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Removes what is in the directory, and its subdirectories `depth` levels down.
void RemoveEntries(int directory, int depth) {
  // The stream wants a descriptor, and a read position, of its own.
  UniqueFd own = OpenDirectory(directory, ".");
  DIR* stream = own.valid() ? fdopendir(own.get()) : nullptr;
  if (stream == nullptr) return;
  own.release();  // closedir closes it
  while (const dirent* entry = readdir(stream)) {
    const char* name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    if (unlinkat(directory, name, 0) == 0 || depth == 0) continue;
    const UniqueFd inner = OpenDirectory(directory, name);
    if (!inner.valid()) continue;
    RemoveEntries(inner.get(), depth - 1);
    unlinkat(directory, name, AT_REMOVEDIR);
  }
  closedir(stream);
}

bool IsSameDirectory(int directory, const std::string& path) {
  struct stat opened;
  struct stat named;
  return fstat(directory, &opened) == 0 && lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

}  // namespace

SocketDirectory::SocketDirectory(std::string path, UniqueFd directory)
    : path_(std::move(path)),
      directory_(std::move(directory)),
      owner_(getpid()) {}

SocketDirectory::~SocketDirectory() { Remove(); }

absl::StatusOr<std::unique_ptr<SocketDirectory>> SocketDirectory::Create(
    const std::string& base, const std::string& group,
    const absl::optional<Command::User>& user) {
  absl::optional<gid_t> gid;
  if (!group.empty()) {
    absl::StatusOr<gid_t> found = FindGroup(group);
    if (!found.ok()) return found.status();
    gid = *found;
  }
  absl::StatusOr<std::string> path = Make(base, user);
  if (!path.ok()) return path.status();
  // The host's umask may have taken even the owner's own rights.
  chmod(path->c_str(), 0700);
  UniqueFd directory = OpenDirectory(AT_FDCWD, path->c_str());
  if (!directory.valid()) {
    const int error_number = errno;
    rmdir(path->c_str());
    return MakeError(Reason::kTransport,
                     ErrnoText(error_number, "opening the socket directory"),
                     "check the host's limit of open files (ulimit -n)");
  }
  // Best effort: some network file systems have no locks, and no sweeper.
  flock(directory.get(), LOCK_EX | LOCK_NB);
  auto result = absl::WrapUnique(
      new SocketDirectory(*std::move(path), std::move(directory)));
  const int fd = result->directory_.get();
  if (gid.has_value() && (fchown(fd, static_cast<uid_t>(-1), *gid) != 0 ||
                          fchmod(fd, 0770) != 0)) {
    return GroupError(group, ErrnoText(errno, "changing the directory's group"),
                      "name a group that the host's user is a member of");
  }
  if (user.has_value() &&
      fchown(fd, user->uid,
             gid.has_value() ? static_cast<gid_t>(-1) : user->gid) != 0) {
    return UserError(*user, result->path_, errno);
  }
  result->lent_ = user.has_value();
  return result;
}

std::unique_ptr<SocketDirectory> SocketDirectory::Adopt(
    const std::string& socket) {
  const size_t slash = socket.rfind('/');
  if (slash == std::string::npos) return nullptr;
  std::string path = socket.substr(0, slash);
  // Ours by its name, its owner and its mode: what is in it will be removed.
  constexpr size_t kRandom = 6;
  const absl::string_view name = kTemplate;
  if (path.size() < name.size() ||
      path.compare(path.size() - name.size(), name.size() - kRandom, kTemplate,
                   name.size() - kRandom) != 0) {
    return nullptr;
  }
  UniqueFd directory = OpenDirectory(AT_FDCWD, path.c_str());
  struct stat found;
  if (!directory.valid() || fstat(directory.get(), &found) != 0 ||
      found.st_uid != geteuid() || (found.st_mode & 0707) != 0700) {
    return nullptr;
  }
  flock(directory.get(), LOCK_EX | LOCK_NB);
  return absl::WrapUnique(
      new SocketDirectory(std::move(path), std::move(directory)));
}

void SocketDirectory::Remove() {
  if (!directory_.valid() || getpid() != owner_) return;
  // Only a directory's owner may remove it from /tmp. What follows may do
  // without, so a failure is none.
  const int unlent =
      lent_ ? fchown(directory_.get(), geteuid(), static_cast<gid_t>(-1)) : 0;
  static_cast<void>(unlent);
  constexpr int kDepth = 1;
  RemoveEntries(directory_.get(), kDepth);
  // Not what somebody else may have put in its place.
  if (IsSameDirectory(directory_.get(), path_)) rmdir(path_.c_str());
  directory_.reset();
}

void SocketDirectory::Keep() { directory_.reset(); }

}  // namespace goplugin::internal

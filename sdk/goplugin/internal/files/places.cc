#include "goplugin/internal/files/places.h"

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/files/bound_socket.h"

namespace goplugin::internal {
namespace {

constexpr size_t kRandomCharacters = 6;
// What a socket's path needs beside the place: "/goplugin-XXXXXX", "/l", and
// the socket's own name, "/plugin-" and 20 more.
constexpr size_t kOuterRoom = 1 + sizeof(kOuterPrefix) - 1 + kRandomCharacters;
constexpr size_t kInnerRoom = 2;
constexpr size_t kSocketNameRoom = 28;
constexpr size_t kMaxPlace =
    kMaxSocketPath - kOuterRoom - kInnerRoom - kSocketNameRoom;

std::string WithoutTrailingSlashes(std::string path) {
  while (!path.empty() && path.back() == '/') path.pop_back();
  return path;
}

// Access control lists are not read: what has one is given a try.
bool HasAccessList(const std::string& path) {
  return getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) > 0;
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
    if (stat(directory.c_str(), &info) == 0 && !MayPass(info, user) &&
        !HasAccessList(directory)) {
      return directory;
    }
    if (end == std::string::npos) return "";
  }
}

std::string ProblemOf(const std::string& path, const PlaceRequest& request) {
  if (path.size() > kMaxPlace) {
    return absl::StrCat(
        Quote(path), " is ", path.size(), " bytes long; at most ", kMaxPlace,
        " leave room for a socket's path, which may have ", kMaxSocketPath);
  }
  if (!request.user.has_value()) return "";
  const std::string closed = FindClosed(path, *request.user);
  if (closed.empty()) return "";
  return absl::StrCat("user ", request.user->uid, " may not enter ",
                      Quote(closed));
}

// The plugin may have another current directory than the host.
Place PlaceOfOption(const PlaceRequest& request) {
  Place place;
  if (absl::StartsWith(request.option, "/")) {
    place.path = request.option;
  } else if (!request.caller.working_directory.empty()) {
    place.path =
        absl::StrCat(request.caller.working_directory, "/", request.option);
  } else {
    place.problem = absl::StrCat(
        Quote(request.option),
        " is relative, and the current directory can't be reached");
    return place;
  }
  place.path = WithoutTrailingSlashes(std::move(place.path));
  place.problem = ProblemOf(place.path, request);
  return place;
}

}  // namespace

std::vector<Place> FindPlaces(const PlaceRequest& request) {
  if (!request.option.empty()) return {PlaceOfOption(request)};
  const struct {
    const char* name;
    std::string path;
  } usual[] = {{"XDG_RUNTIME_DIR", request.caller.runtime_directory},
               {"TMPDIR", request.caller.temporary_directory},
               {"", "/tmp"},
               {"PLUGIN_UNIX_SOCKET_DIR", request.caller.socket_directory}};
  std::vector<Place> places;
  for (const auto& [name, path] : usual) {
    if (path.empty()) continue;
    Place place;
    if (absl::StartsWith(path, "/")) {
      place.path = WithoutTrailingSlashes(path);
      place.problem = ProblemOf(place.path, request);
    } else {
      place.problem = absl::StrCat(name, ": ", Quote(path), " is not absolute");
    }
    places.push_back(std::move(place));
  }
  return places;
}

bool IsOuterName(absl::string_view name) {
  constexpr absl::string_view kPrefix = kOuterPrefix;
  return name.size() == kPrefix.size() + kRandomCharacters &&
         absl::StartsWith(name, kPrefix) &&
         std::all_of(name.begin() + kPrefix.size(), name.end(),
                     [](char c) { return absl::ascii_isalnum(c); });
}

}  // namespace goplugin::internal

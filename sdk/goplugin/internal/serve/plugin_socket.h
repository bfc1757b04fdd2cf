#ifndef GOPLUGIN_INTERNAL_SERVE_PLUGIN_SOCKET_H_
#define GOPLUGIN_INTERNAL_SERVE_PLUGIN_SOCKET_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"

namespace goplugin::internal {

// The place of the plugin's unix socket in the file system, and its access
// rights. Removes what it made when it goes.
//
// In the directory the host names, else in a directory of its own that only
// this user (and the group) can enter. Not thread-safe.
class PluginSocket {
 public:
  // `directory` and `group` as PLUGIN_UNIX_SOCKET_DIR and _GROUP have them: ""
  // for none. kTransport when there is no such group, no directory, or the path
  // would be longer than a socket's may be (107 bytes).
  static absl::StatusOr<std::unique_ptr<PluginSocket>> Create(
      const std::string& directory, const std::string& group);

  ~PluginSocket();

  PluginSocket(const PluginSocket&) = delete;
  PluginSocket& operator=(const PluginSocket&) = delete;

  // Nothing is there yet.
  const std::string& path() const { return path_; }

  // Opens the bound socket to this user, and to the group when there is one,
  // and to nobody else: gRPC leaves it to the umask.
  absl::Status RestrictAccess() const;

  // Removes socket and directory now. More calls do nothing.
  void Remove();

 private:
  PluginSocket() = default;

  absl::Status MakeOwnDirectory();

  std::string path_;
  // "" when the directory is the host's.
  std::string own_directory_;
  absl::optional<gid_t> group_;
};

// While it lives, new files of the process are open to this user only. The mask
// is the whole process's: keep it short.
class PrivateUmask {
 public:
  PrivateUmask();
  ~PrivateUmask();

  PrivateUmask(const PrivateUmask&) = delete;
  PrivateUmask& operator=(const PrivateUmask&) = delete;

 private:
  const mode_t old_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_PLUGIN_SOCKET_H_

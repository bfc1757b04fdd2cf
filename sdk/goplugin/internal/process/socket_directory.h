#ifndef GOPLUGIN_INTERNAL_PROCESS_SOCKET_DIRECTORY_H_
#define GOPLUGIN_INTERNAL_PROCESS_SOCKET_DIRECTORY_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "goplugin/command.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// A new directory for one client's sockets, removed with this object. Its name
// is short: a socket's path may have no more than 107 bytes, and there is room
// for names of 28.
//
// While the object lives it holds an flock on the directory, which keeps
// systemd-tmpfiles from sweeping idle sockets away.
// Not thread-safe. In a forked copy of the process it does nothing.
class SocketDirectory {
 public:
  // Makes the directory in `base`, or with an empty `base` in the first of
  // $XDG_RUNTIME_DIR, $TMPDIR and /tmp that can hold it. Mode 0700; with a
  // `group` (a name or a number) 0770 and owned by that group. With a `user` it
  // is that user's until it is removed, and the usual places are those where
  // the modes of the directories above let that user in.
  //
  // Errors: kOptions for a given base or a group that can't be used; kTransport
  // when none of the usual places can; kSpawn for a user to whom the host may
  // give nothing.
  static absl::StatusOr<std::unique_ptr<SocketDirectory>> Create(
      const std::string& base, const std::string& group,
      const absl::optional<Command::User>& user = absl::nullopt);

  // Takes over the directory that another process made with Create and kept,
  // for `socket` in it; nullptr when `socket` is not in such a directory, or it
  // is not this user's.
  static std::unique_ptr<SocketDirectory> Adopt(const std::string& socket);

  ~SocketDirectory();
  SocketDirectory(const SocketDirectory&) = delete;
  SocketDirectory& operator=(const SocketDirectory&) = delete;

  // Absolute, without a slash at the end.
  const std::string& path() const { return path_; }

  // Removes the directory with the files in it and in its subdirectories (one
  // level; symbolic links are not followed). What is nested deeper stays.
  void Remove();

  // Leaves the directory where it is, for a plugin that outlives its host.
  void Keep();

 private:
  SocketDirectory(std::string path, UniqueFd directory);

  std::string path_;
  UniqueFd directory_;  // invalid once removed or kept
  pid_t owner_;         // the process that made it
  bool lent_ = false;   // to another user
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_SOCKET_DIRECTORY_H_

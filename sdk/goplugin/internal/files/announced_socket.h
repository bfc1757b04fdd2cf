#ifndef GOPLUGIN_INTERNAL_FILES_ANNOUNCED_SOCKET_H_
#define GOPLUGIN_INTERNAL_FILES_ANNOUNCED_SOCKET_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>

#include "absl/types/optional.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/files/file_identity.h"

namespace goplugin::internal {

// What is known of whose socket it may be.
struct SocketOwner {
  // The plugin's user.
  uid_t uid = 0;
  // When its own directory was made, or its start was begun, by the kernel's
  // clock for files; nullopt where that is not known.
  absl::optional<std::int64_t> since_ns = absl::nullopt;
};

// A socket that a plugin announced somewhere else than in the directory made
// for it: old go-plugin and Python know nothing of that one, and leave their
// sockets when they are killed. A plugin may say any path. So the file is
// removed only when everything shows that it is the plugin's own.
class AnnouncedSocket {
 public:
  // nullopt unless an absolute `path` itself, not what a link points to, is a
  // socket.
  static absl::optional<AnnouncedSocket> Find(const std::string& path);

  // After the plugin's end: removes the socket if it is the one that was found,
  // is the plugin's user's, younger than the plugin's directory, refuses
  // connections, and in a directory where nobody else may put another in its
  // place. Returns "" when it is gone, else why it stays, for a person.
  // Connects to it when all else is proved. Never waits.
  std::string RemoveIfProved(const SocketOwner& owner) const;

  // The directory that it is in.
  const Directory& parent() const { return parent_; }

 private:
  AnnouncedSocket(Directory parent, std::string name, FileIdentity identity)
      : parent_(std::move(parent)),
        name_(std::move(name)),
        identity_(identity) {}

  std::string DoubtAbout(const SocketOwner& owner) const;

  Directory parent_;
  std::string name_;
  FileIdentity identity_;
};

enum class Answer {
  kRefused,  // nobody listens
  kAbsent,   // no socket is there
  kUnknown,  // somebody listens, or it can't be known
};

// Whether anybody listens at the socket `name` in `directory`: tries to connect
// to it, and hangs up. Never waits, follows no links.
Answer AskSocket(const Directory& directory, const std::string& name);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_ANNOUNCED_SOCKET_H_

#ifndef GOPLUGIN_INTERNAL_FILES_PLUGIN_FILES_H_
#define GOPLUGIN_INTERNAL_FILES_PLUGIN_FILES_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/command.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/files/announced_socket.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/files/mark.h"
#include "goplugin/internal/files/outer_directory.h"

namespace goplugin::internal {

// Where sockets of one kind are made, and how. A value; copies share the
// directory.
struct SocketPlace {
  std::shared_ptr<const Directory> directory;
  // What BindSocket is to be given for a socket here.
  mode_t mode = 0600;
};

// What the files of one client depend on.
struct FilesRequest {
  PlaceRequest place = {};
  // A group, by name or number, that may use the plugin's sockets; "" for none.
  std::string group = {};
  // The plugin sees only the lent directory, at a path of its own (a runner's):
  // the host's brokered sockets have to be in it.
  bool only_lent_is_seen = false;
};

// Everything that one client has in the file system, for itself and for its
// plugin: an outer directory (outer_directory.h), and in it
//   l  lent: the plugin's. Its user's (the host's, or Command::user), 0700;
//   with
//      a socket group 0770 and that group's. The plugin makes its sockets here.
//   d  doors: the host's alone, 0700. Sockets that only this process connects
//      to.
//   b  brokered sockets of the host. 0700 where the plugin runs as the host's
//      user. Where it runs as another or there is a socket group, 0710 with the
//      plugin's gid or the socket group, and sockets 0666: the directory
//      decides who gets there, a connect needs write permission on the socket.
//      Whoever shares that gid is trusted. Never in l, where the plugin could
//      replace it, but with only_lent_is_seen.
// and its mark, and output files without a name.
//
// Each is made when it is asked for; so is the outer one, and again elsewhere
// if it is gone when the next is asked for (logind removes XDG_RUNTIME_DIR at
// logout). What was lent is not made again: the plugin was told its path.
//
// Shared by all that make sockets for the client. Thread-safe; what makes or
// removes may block. Removes everything when it goes, as OuterDirectory does:
// that must not be before the plugin is gone, unless Keep was called.
class PluginFiles {
 public:
  static std::shared_ptr<PluginFiles> Create(FilesRequest request);
  // Of a plugin that another host started and left behind, whose directory
  // `socket` is in; nullptr if it is in none that may be taken over.
  static std::shared_ptr<PluginFiles> Adopt(const std::string& socket);

  ~PluginFiles();
  PluginFiles(const PluginFiles&) = delete;
  PluginFiles& operator=(const PluginFiles&) = delete;

  // The lent directory, made by the first call. Errors: kOptions for a group or
  // a place option that can't be used, kSpawn for a user to whom the host may
  // give nothing, kTransport when no place will do.
  absl::StatusOr<std::shared_ptr<const Directory>> Lend();
  // Its path, "" where there is none.
  std::string lent_path() const;

  // Errors: kTransport; kShutDown once Remove or Keep were called.
  absl::StatusOr<SocketPlace> Doors();
  absl::StatusOr<SocketPlace> Brokered();

  // The outer directory, for output files.
  absl::StatusOr<std::shared_ptr<const OuterDirectory>> Outer();

  // Says that the plugin may outlive this host: before it is started without a
  // pid, then with it.
  absl::Status MarkOutliving(const Mark& mark);

  // Remembers the socket that the plugin announced at `endpoint`, if there is
  // one now; the first that is found counts.
  void Remember(const Endpoint& endpoint);

  // Leaves everything where it is, for a plugin that runs on.
  void Keep();

  // After the plugin's end: removes what it and this host left, until the
  // deadline. Call it again while it says kMore, or leave the rest to the next
  // sweep. No place is to be had afterwards.
  Removal RemoveSome(absl::Time deadline);
  // What RemoveSome left where it is, for the log: an announced socket that
  // could not be proved to be the plugin's. "" for nothing.
  std::string leftover() const;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_PLUGIN_FILES_H_

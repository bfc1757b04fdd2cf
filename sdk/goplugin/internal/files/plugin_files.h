#ifndef GOPLUGIN_INTERNAL_FILES_PLUGIN_FILES_H_
#define GOPLUGIN_INTERNAL_FILES_PLUGIN_FILES_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/files/announced_socket.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/files/lending.h"
#include "goplugin/internal/files/outer_directory.h"
#include "goplugin/internal/files/output_files.h"
#include "goplugin/internal/files/places.h"
#include "goplugin/internal/files/removal.h"
#include "goplugin/internal/files/sweep.h"
#include "goplugin/internal/files/time_limit.h"

namespace goplugin::internal {

// Where sockets of one kind are made, and how. A value; copies share the
// directory.
struct SocketPlace {
  std::shared_ptr<const Directory> directory;
  // For BindSocket.
  mode_t mode = 0600;
};

// What the files of one client depend on.
struct FilesRequest {
  PlaceRequest place = {};
  // A group, by name or number, that may use the plugin's sockets; "" for none.
  std::string group = {};
  // The plugin finds the lent directory at a path of its own, and nothing
  // beside it (a runner's): the host's brokered sockets have to be in it.
  bool sees_only_lent = false;
};

// Everything that one client has in the file system, for itself and for its
// plugin: an outer directory (outer_directory.h), and in it
//   l  lent: the plugin's, where it makes its sockets. Of its user (the host's,
//      or Command::user), 0700; with a socket group of that group, 0770.
//   d  doors: the host's alone, 0700. For sockets that only it connects to.
//   b  brokered sockets of the host. 0700 where the plugin runs as the host's
//      user. Where it runs as another, or there is a socket group: 0710 and of
//      the plugin's group or the socket group, with sockets of mode 0666. Who
//      gets as far as there is what the directory decides; a connect needs to
//      be allowed to write to the socket. Whoever shares that group is trusted.
//      In l, where the plugin can replace it, only with sees_only_lent.
//   m  a mark: the plugin may outlive this host (mark.h).
//
// Each is made when it is asked for; the outer one, too, and again elsewhere if
// it is gone by then (logind removes XDG_RUNTIME_DIR at logout). What was lent
// is not made again, as the plugin was told its path.
//
// Shared by all that make sockets for a client. Thread-safe; what makes or
// removes anything may block. When it goes it removes everything, unless that
// takes longer than kRemovalWait or Keep was called; that must not be before
// the plugin is gone. In a forked copy of the process it removes nothing.
class PluginFiles {
 public:
  // Makes nothing yet.
  static std::shared_ptr<PluginFiles> Create(FilesRequest request);
  // Those of a plugin that another host has left behind: the directory that
  // `socket` is in, if it is in one that may be taken over, else nothing so
  // far.
  static std::shared_ptr<PluginFiles> Adopt(const std::string& socket,
                                            FilesRequest request);

  ~PluginFiles();
  PluginFiles(const PluginFiles&) = delete;
  PluginFiles& operator=(const PluginFiles&) = delete;

  // The lent directory, which the first call makes. Errors: kOptions for a
  // group or a place option that can't be used, kSpawn for a user to whom the
  // host may give nothing, kTransport when no place will do.
  absl::StatusOr<std::shared_ptr<const Directory>> Lend();

  // The path of what was lent, "" where that was nothing.
  std::string lent_path() const;
  // The group that others than this user get to the brokered sockets by, as far
  // as it is known; nullopt for nobody else.
  absl::optional<gid_t> guests() const;

  // Errors: as Lend, and kShutDown once the end has begun.
  absl::StatusOr<SocketPlace> Doors();
  absl::StatusOr<SocketPlace> Brokered();

  // In the outer directory: see output_files.h.
  absl::StatusOr<OutputFiles> OpenOutput(const std::string& stderr_path);

  // Writes the mark; once before the plugin is started, without its number (0),
  // and once with it. Errors: as Lend.
  absl::Status MarkOutliving(pid_t plugin);

  // Remembers the socket that the plugin announced at `endpoint`, if there is
  // one now. The first that is found counts.
  void Remember(const Endpoint& endpoint);

  // Leaves the plugin's sockets where they are, for one that runs on: -1 or its
  // number. A directory without one is of no more use, and goes.
  void Keep(pid_t plugin);

  // After the plugin's end: removes what it and this host have left, until the
  // deadline. While it answers kMore it may be called again; what is left when
  // the object goes is the next sweep's. One call at a time.
  Removal RemoveSome(const TimeLimit& limit);
  // After RemoveSome: what was left where it is, for the log; "" for nothing.
  std::string leftover() const;

  // Sweeps where the next launch would make its directory: see sweep.h.
  void SweepPlaces(const TimeLimit& limit) const {
    SweepDeadInTurn(request_.place, limit);
  }

 private:
  explicit PluginFiles(FilesRequest request);

  absl::StatusOr<const OuterDirectory*> Outer()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Sharing> FindSharing() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::shared_ptr<const Directory>> LendLocked()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::shared_ptr<const Directory>> MakePlace(
      const std::string& letter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RemoveAnnounced() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const FilesRequest request_;
  const pid_t owner_;
  mutable absl::Mutex mutex_;
  // What the plugin makes is younger; nullopt of one that was adopted.
  absl::optional<std::int64_t> since_ns_ ABSL_GUARDED_BY(mutex_);
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;
  absl::optional<Sharing> sharing_ ABSL_GUARDED_BY(mutex_);
  // The last is the one in use; those before it were gone when another was
  // needed.
  std::vector<std::unique_ptr<OuterDirectory>> outers_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Directory> lent_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Directory> doors_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Directory> brokered_ ABSL_GUARDED_BY(mutex_);
  // The plugin's socket is in it.
  bool is_lent_used_ ABSL_GUARDED_BY(mutex_) = false;
  absl::optional<AnnouncedSocket> announced_ ABSL_GUARDED_BY(mutex_);
  std::string leftover_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_PLUGIN_FILES_H_

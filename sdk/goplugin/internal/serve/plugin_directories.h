#ifndef GOPLUGIN_INTERNAL_SERVE_PLUGIN_DIRECTORIES_H_
#define GOPLUGIN_INTERNAL_SERVE_PLUGIN_DIRECTORIES_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "goplugin/internal/broker/broker_sockets.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/files/outer_directory.h"

namespace goplugin::internal {

// Where a plugin makes its sockets: in the directory that the host has lent it,
// else in one of its own, in the first of XDG_RUNTIME_DIR, TMPDIR and /tmp that
// takes sockets. Each is made when it is asked for, and again in one of its own
// when the lent one is gone. Thread-safe; may block as the file system does.
// Removes what it has made when it goes.
class PluginDirectories {
 public:
  // `lent` and `group` as PLUGIN_UNIX_SOCKET_DIR and _GROUP have them: "" for
  // none.
  PluginDirectories(std::string lent, std::string group)
      : lent_path_(std::move(lent)), group_name_(std::move(group)) {}
  ~PluginDirectories() { Remove(); }
  PluginDirectories(const PluginDirectories&) = delete;
  PluginDirectories& operator=(const PluginDirectories&) = delete;

  // For the main socket, and a name for it: the lent one may be shared.
  struct Place {
    std::shared_ptr<const Directory> directory;
    std::string name;
    // Who may use the sockets besides this user.
    absl::optional<gid_t> group;
  };
  // kTransport when there is no such group, or no directory.
  absl::StatusOr<Place> Main();
  // For the sockets of the broker.
  absl::StatusOr<BrokerDirectory> Brokered();
  // For sockets that only this process connects to.
  absl::StatusOr<std::shared_ptr<const Directory>> Doors();

  // Removes what was made. More calls do nothing.
  void Remove();

 private:
  // A directory that was made in another.
  struct Inner {
    std::shared_ptr<const Directory> parent;
    std::shared_ptr<const Directory> made;
    std::string name;
  };

  absl::StatusOr<absl::optional<gid_t>> Group()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The lent one; nullptr when there is none, or it is gone.
  absl::StatusOr<std::shared_ptr<const Directory>> Lent()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::shared_ptr<const Directory>> Own()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::shared_ptr<const Directory>> MakeInner(
      Inner& inner, const char* prefix, absl::optional<gid_t> group)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void RemoveInner(Inner& inner);

  const std::string lent_path_;
  const std::string group_name_;
  absl::Mutex mutex_;
  absl::optional<gid_t> group_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Directory> lent_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<OuterDirectory> own_ ABSL_GUARDED_BY(mutex_);
  Inner brokered_ ABSL_GUARDED_BY(mutex_);
  Inner doors_ ABSL_GUARDED_BY(mutex_);
  bool removed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_PLUGIN_DIRECTORIES_H_

#ifndef GOPLUGIN_INTERNAL_START_PLUGIN_FILES_H_
#define GOPLUGIN_INTERNAL_START_PLUGIN_FILES_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/process/socket_directory.h"
#include "goplugin/internal/process/socket_sweep.h"

namespace goplugin::internal {

// Where sockets of one kind are made, and how. A value; copies share the
// directory.
struct SocketPlace {
  std::shared_ptr<const Directory> directory;
  mode_t mode = 0600;
};

// What a plugin leaves on the disk: the sockets in the directory that was made
// for it, and the one that a plugin which ignores that directory put elsewhere.
// Swept when this object goes, which must not be before the plugin is gone.
class PluginFiles {
 public:
  // `directory` may be null. `guests`: the group that the plugin's user gets to
  // this host's sockets by, if it is not this user.
  explicit PluginFiles(std::unique_ptr<SocketDirectory> directory,
                       absl::optional<gid_t> guests = absl::nullopt)
      : directory_(std::move(directory)), guests_(guests) {}
  PluginFiles(const PluginFiles&) = delete;
  PluginFiles& operator=(const PluginFiles&) = delete;
  ~PluginFiles() {
    if (announced_.has_value()) UnlinkIfSame(*announced_);
  }

  // Where this host's own sockets go: those that it connects to itself, and
  // those for the plugin. Thread-safe.
  absl::StatusOr<SocketPlace> Doors() {
    return Make(doors_, "d", absl::nullopt);
  }
  absl::StatusOr<SocketPlace> Brokered() {
    return Make(brokered_, "b", guests_);
  }

  // Remembers the socket at `endpoint`, if there is one now.
  void Remember(const Endpoint& endpoint) {
    if (endpoint.network == Endpoint::Network::kUnix &&
        !announced_.has_value()) {
      announced_ = IdentifySocket(endpoint.address);
    }
  }

  // Leaves the socket where it is, for a plugin that runs on.
  void Keep() {
    // Without a socket nothing leads to the directory any more.
    if (directory_ != nullptr && announced_.has_value()) directory_->Keep();
    announced_.reset();
  }

 private:
  absl::StatusOr<SocketPlace> Make(std::shared_ptr<const Directory>& made,
                                   const std::string& prefix,
                                   absl::optional<gid_t> guests) {
    const absl::MutexLock lock(&mutex_);
    if (made == nullptr) {
      absl::StatusOr<Directory> base =
          Directory::Open(directory_ == nullptr ? "/tmp" : directory_->path());
      if (!base.ok()) return base.status();
      absl::StatusOr<Directory> directory =
          base->MakeUniqueDirectory(prefix, 0700);
      if (!directory.ok()) return directory.status();
      if (guests.has_value()) {
        absl::Status given =
            directory->SetOwner(static_cast<uid_t>(-1), *guests);
        if (given.ok()) given = directory->SetMode(0710);
        if (!given.ok()) return given;
      }
      made = std::make_shared<const Directory>(*std::move(directory));
    }
    return SocketPlace{made, guests.has_value() ? mode_t{0666} : mode_t{0600}};
  }

  const std::unique_ptr<SocketDirectory> directory_;
  const absl::optional<gid_t> guests_;
  absl::Mutex mutex_;
  std::shared_ptr<const Directory> doors_;
  std::shared_ptr<const Directory> brokered_;
  absl::optional<SocketIdentity> announced_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_PLUGIN_FILES_H_

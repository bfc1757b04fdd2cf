#ifndef GOPLUGIN_INTERNAL_START_PLUGIN_FILES_H_
#define GOPLUGIN_INTERNAL_START_PLUGIN_FILES_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/types/optional.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/process/socket_directory.h"
#include "goplugin/internal/process/socket_sweep.h"

namespace goplugin::internal {

// What a plugin leaves on the disk: the sockets in the directory that was made
// for it, and the one that a plugin which ignores that directory put elsewhere.
// Swept when this object goes, which must not be before the plugin is gone.
class PluginFiles {
 public:
  // `directory` may be null.
  explicit PluginFiles(std::unique_ptr<SocketDirectory> directory)
      : directory_(std::move(directory)) {}
  PluginFiles(const PluginFiles&) = delete;
  PluginFiles& operator=(const PluginFiles&) = delete;
  ~PluginFiles() {
    if (announced_.has_value()) UnlinkIfSame(*announced_);
  }

  // Where this host's own sockets for the plugin go; "" where there is no
  // directory.
  std::string directory() const {
    return directory_ == nullptr ? "" : directory_->path();
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
  const std::unique_ptr<SocketDirectory> directory_;
  absl::optional<SocketIdentity> announced_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_PLUGIN_FILES_H_

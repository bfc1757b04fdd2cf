#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_HOST_SOCKETS_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_HOST_SOCKETS_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "goplugin/internal/broker/broker_sockets.h"
#include "goplugin/internal/files/plugin_files.h"
#include "goplugin/internal/mux/private_socket.h"

namespace goplugin::internal {

// Where the host's own sockets for a plugin go. A broker, and so what makes its
// sockets, may outlive the client and its files: then they answer kShutDown.
// Called on any thread, may block as the file system does.

MakeDoorSocket DoorMaker(const std::shared_ptr<PluginFiles>& files);

// Null where there are no files.
std::function<absl::StatusOr<BrokerDirectory>()> BrokerDirectories(
    const std::shared_ptr<PluginFiles>& files);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_HOST_SOCKETS_H_

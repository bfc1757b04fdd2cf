#ifndef GOPLUGIN_INTERNAL_SERVE_PLUGIN_LISTENER_H_
#define GOPLUGIN_INTERNAL_SERVE_PLUGIN_LISTENER_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/serve/host_connections.h"
#include "goplugin/internal/serve/plugin_directories.h"
#include "goplugin/internal/serve/plugin_socket.h"

namespace goplugin::internal {

// Where a plugin may listen.
struct ListenPlan {
  // The first that can be had.
  std::vector<Endpoint::Network> networks = {};
  // For tcp, both ends included; 0 and 0: any free one.
  int min_port = 0;
  int max_port = 0;
  // Where unix sockets go.
  std::shared_ptr<PluginDirectories> directories = nullptr;
  // How many connections wait in the kernel until they are accepted.
  int queue = 0;
};

// The plugin's main socket, and its file where it is a unix socket, which goes
// with this object. It listens, so that hosts can connect; nobody accepts yet,
// so that none is served before all is ready. Not thread-safe.
class PluginListener {
 public:
  // kTransport, with the error of each network, when there is nowhere to
  // listen.
  static absl::StatusOr<std::unique_ptr<PluginListener>> Listen(
      const ListenPlan& plan);
  PluginListener(const PluginListener&) = delete;
  PluginListener& operator=(const PluginListener&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }
  // What its connections are known by (SocketName). Before Take.
  std::string socket_name() const { return SocketName(listener_.get()); }
  // For whoever accepts; once. It does not block.
  UniqueFd Take() { return std::move(listener_); }

  // Removes the file now. More calls do nothing.
  void Remove();

 private:
  PluginListener() = default;

  absl::Status ListenOn(Endpoint::Network network, const ListenPlan& plan);
  absl::Status ListenUnix(const ListenPlan& plan);
  absl::Status ListenTcp(const ListenPlan& plan);

  Endpoint endpoint_;
  // nullptr for tcp.
  std::unique_ptr<PluginSocket> socket_;
  UniqueFd listener_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_PLUGIN_LISTENER_H_

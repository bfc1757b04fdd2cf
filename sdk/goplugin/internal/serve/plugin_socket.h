#ifndef GOPLUGIN_INTERNAL_SERVE_PLUGIN_SOCKET_H_
#define GOPLUGIN_INTERNAL_SERVE_PLUGIN_SOCKET_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/serve/plugin_directories.h"

namespace goplugin::internal {

// The plugin's unix socket, and its file, which goes with this object. It is
// open to this user, and to the group when there is one, and to nobody else,
// from the moment that it is there; the process's umask is left alone. Not
// thread-safe.
class PluginSocket {
 public:
  // Listens with a kernel queue of `queue` connections. kTransport when there
  // is no place for it, or its path would be longer than a socket's may be (107
  // bytes).
  static absl::StatusOr<std::unique_ptr<PluginSocket>> Listen(
      PluginDirectories& directories, int queue);

  ~PluginSocket() { Remove(); }
  PluginSocket(const PluginSocket&) = delete;
  PluginSocket& operator=(const PluginSocket&) = delete;

  const std::string& path() const { return path_; }
  // For whoever accepts; once. It does not block.
  UniqueFd TakeListener() { return std::move(listener_); }

  // Removes the file now. More calls do nothing.
  void Remove();

 private:
  PluginSocket() = default;

  std::shared_ptr<const Directory> directory_;
  std::string name_;
  std::string path_;
  UniqueFd listener_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_PLUGIN_SOCKET_H_

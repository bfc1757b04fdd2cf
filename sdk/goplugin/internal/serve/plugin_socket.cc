#include "goplugin/internal/serve/plugin_socket.h"

#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/files/bound_socket.h"

namespace goplugin::internal {
namespace {

absl::Status TooLong(const std::string& path) {
  return MakeError(
      Reason::kTransport,
      absl::StrCat("the socket's path has ", path.size(), " bytes, ",
                   kMaxSocketPath, " are possible: ", Quote(path)),
      "use a shorter PLUGIN_UNIX_SOCKET_DIR or TMPDIR");
}

}  // namespace

absl::StatusOr<std::unique_ptr<PluginSocket>> PluginSocket::Listen(
    PluginDirectories& directories, int queue) {
  absl::StatusOr<PluginDirectories::Place> place = directories.Main();
  if (!place.ok()) return place.status();
  auto socket = absl::WrapUnique(new PluginSocket());
  socket->directory_ = std::move(place->directory);
  const std::string& name = place->name;
  socket->path_ = socket->directory_->PathOf(name);
  if (socket->path_.size() > kMaxSocketPath) return TooLong(socket->path_);
  absl::StatusOr<UniqueFd> bound = BindSocket(
      *socket->directory_, name,
      place->group.has_value() ? mode_t{0660} : mode_t{0600}, place->group);
  if (!bound.ok()) return bound.status();
  socket->name_ = name;
  socket->listener_ = *std::move(bound);
  if (listen(socket->listener_.get(), queue) == 0) return socket;
  return MakeError(Reason::kTransport,
                   absl::StrCat("can't listen on ", Quote(socket->path_), ": ",
                                std::strerror(errno)),
                   "see that the process may make unix sockets");
}

void PluginSocket::Remove() {
  if (!name_.empty()) directory_->Unlink(name_).IgnoreError();
  name_.clear();
  directory_.reset();
}

}  // namespace goplugin::internal

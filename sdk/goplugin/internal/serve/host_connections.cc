#include "goplugin/internal/serve/host_connections.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/types/optional.h"
#include "goplugin/internal/files/directory_reader.h"
#include "goplugin/internal/net/peer.h"

namespace goplugin::internal {
namespace {

bool Listens(int socket) {
  int listens = 0;
  socklen_t size = sizeof listens;
  return getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 ||
         listens != 0;
}

bool IsOpen(int connection) {
  pollfd ended = {connection, POLLRDHUP, 0};
  return poll(&ended, 1, 0) == 0;
}

// nullopt when the kernel can't be asked.
absl::optional<std::vector<int>> SocketsNamed(const std::string& name) {
  const UniqueFd directory(
      open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DirectoryReader reader(directory.get());
  if (!reader.valid()) return absl::nullopt;
  std::vector<int> numbers;
  while (const dirent* entry = reader.Next()) {
    int number = -1;
    if (absl::SimpleAtoi(entry->d_name, &number) &&
        SocketName(number) == name) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

}  // namespace

std::string SocketName(int socket) {
  sockaddr_storage address = {};
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (getsockname(socket, generic, &size) != 0) return "";
  return std::string(reinterpret_cast<const char*>(&address),
                     std::min<std::size_t>(size, sizeof address));
}

bool IsOfThisProcess(int connection) {
  const absl::optional<Peer> peer = PeerOf(connection);
  return peer.has_value() && peer->pid == getpid();
}

absl::optional<std::vector<UniqueFd>> HostConnections(
    const std::string& listener) {
  if (listener.empty()) return std::vector<UniqueFd>();
  const absl::optional<std::vector<int>> numbers = SocketsNamed(listener);
  if (!numbers.has_value()) return absl::nullopt;
  std::vector<UniqueFd> found;
  for (const int number : *numbers) {
    UniqueFd connection(fcntl(number, F_DUPFD_CLOEXEC, 3));
    if (!connection.valid() && errno != EBADF) return absl::nullopt;
    // By now the number may be another's; the duplicate's can't become that.
    if (connection.valid() && SocketName(connection.get()) == listener &&
        !Listens(connection.get()) && IsOpen(connection.get()) &&
        !IsOfThisProcess(connection.get())) {
      found.push_back(std::move(connection));
    }
  }
  return found;
}

}  // namespace goplugin::internal

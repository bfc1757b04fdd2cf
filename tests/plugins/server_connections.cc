#include "tests/plugins/server_connections.h"

#include <fcntl.h>
#include <grpcpp/server_posix.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace server_plugin {
namespace {

int Listen(const std::string& path) {
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
          0 ||
      listen(listener, 16) != 0) {
    perror("server_plugin: listen");
    _exit(70);
  }
  return listener;
}

// gRPC reads its own copy of the descriptor; this one tells of the end.
void Accept(grpc::Server& server, std::vector<pollfd>& watched) {
  const int fd = accept4(watched[0].fd, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return;
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  fcntl(copy, F_SETFL, O_NONBLOCK);
  grpc::AddInsecureChannelFromFd(&server, copy);
  watched.push_back({fd, POLLRDHUP, 0});
}

bool Closed(const pollfd& one) {
  return (one.revents & (POLLRDHUP | POLLHUP)) != 0;
}

[[noreturn]] void Watch(grpc::Server& server, int listener) {
  std::vector<pollfd> watched = {{listener, POLLIN, 0}};
  while (true) {
    poll(watched.data(), watched.size(), -1);
    const size_t before = watched.size();
    watched.erase(std::remove_if(watched.begin() + 1, watched.end(), Closed),
                  watched.end());
    if (watched.size() < before && watched.size() == 1) _exit(0);
    if (watched[0].revents != 0) Accept(server, watched);
  }
}

}  // namespace

void EndWithConnections(grpc::Server& server, const std::string& target) {
  const int listener = Listen(target.substr(target.find(':') + 1));
  std::thread([&server, listener] { Watch(server, listener); }).detach();
}

}  // namespace server_plugin

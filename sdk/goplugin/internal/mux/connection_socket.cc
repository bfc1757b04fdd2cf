#include "goplugin/internal/mux/connection_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace goplugin::internal {
namespace {

// An end that is read so soon after a ping was there with it.
constexpr absl::Duration kStale = absl::Seconds(1);

}  // namespace

SocketPair MakeSocketPair() {
  int ends[2] = {-1, -1};
  SocketPair pair;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                 ends) == 0) {
    pair.ours.reset(ends[0]);
    pair.theirs.reset(ends[1]);
  }
  return pair;
}

bool IsNotNow(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

ssize_t ReceiveNow(int socket, char* bytes, size_t size) {
  ssize_t count = 0;
  do {
    count = recv(socket, bytes, size, MSG_DONTWAIT);
  } while (count < 0 && errno == EINTR);
  return count;
}

ssize_t SendNow(int socket, absl::string_view bytes) {
  ssize_t count = 0;
  do {
    count =
        send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  return count;
}

absl::Status Broken(const char* what, int error) {
  return absl::UnavailableError(absl::StrCat(what, ": ", strerror(error)));
}

absl::Status ClosedAfterPing(absl::Duration since_ping) {
  if (since_ping > kStale) return absl::OkStatus();
  return absl::DeadlineExceededError("its last ping was not answered in time");
}

}  // namespace goplugin::internal

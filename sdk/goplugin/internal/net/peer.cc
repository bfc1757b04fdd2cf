#include "goplugin/internal/net/peer.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

// Missing in the headers of most distributions.
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace goplugin::internal {
namespace {

// The peer's further groups; none where the kernel does not tell.
std::vector<gid_t> GroupsOf(int connection) {
  std::vector<gid_t> groups(32);
  while (true) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int result =
        getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    if (result != 0 && errno != ERANGE) return {};
    groups.resize(size / sizeof(gid_t));
    if (result == 0) return groups;
  }
}

bool IsMember(int connection, const Peer& peer, gid_t group) {
  if (peer.gid == group) return true;
  const std::vector<gid_t> groups = GroupsOf(connection);
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

}  // namespace

absl::optional<Peer> PeerOf(int connection) {
  ucred credentials = {};
  socklen_t size = sizeof credentials;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size) !=
      0) {
    return absl::nullopt;
  }
  return Peer{credentials.pid, credentials.uid, credentials.gid};
}

UniqueFd OpenProcess(pid_t pid) {
  return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

UniqueFd OpenPeer(int connection, pid_t pid) {
  int pidfd = -1;
  socklen_t size = sizeof pidfd;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0) {
    return UniqueFd(pidfd);
  }
  return errno == ENOPROTOOPT ? OpenProcess(pid) : UniqueFd();
}

bool IsInvited(int connection, const GuestList& guests) {
  if (guests.everybody) return true;
  const absl::optional<Peer> peer = PeerOf(connection);
  if (!peer.has_value()) return false;
  constexpr uid_t kRoot = 0;
  return peer->uid == kRoot ||
         std::find(guests.users.begin(), guests.users.end(), peer->uid) !=
             guests.users.end() ||
         (guests.group.has_value() &&
          IsMember(connection, *peer, *guests.group));
}

}  // namespace goplugin::internal

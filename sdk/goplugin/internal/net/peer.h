#ifndef GOPLUGIN_INTERNAL_NET_PEER_H_
#define GOPLUGIN_INTERNAL_NET_PEER_H_

#include <sys/types.h>

#include <vector>

#include "absl/types/optional.h"
#include "goplugin/internal/process/unique_fd.h"

// Who is on the other end of a unix socket, by the kernel. Of a listener it
// knows the process that called listen, of a client the one that connected.

namespace goplugin::internal {

struct Peer {
  // 0: of another pid namespace.
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

// nullopt, with errno, when the kernel does not tell.
absl::optional<Peer> PeerOf(int connection);

// A descriptor of the process that has this number now (pidfd_open), readable
// when it has ended. Invalid, with errno, when there is none, or the system has
// no such descriptors.
UniqueFd OpenProcess(pid_t pid);

// The peer's process. The descriptor names it from the start where the kernel
// hands one out (Linux 6.5); elsewhere there is a moment for its number to
// change hands. Invalid where the system has no process descriptors.
UniqueFd OpenPeer(int connection, pid_t pid);

// Who may connect. A value.
struct GuestList {
  // Nobody is asked who they are: the file system's rights are all there is.
  bool everybody = true;
  std::vector<uid_t> users = {};
  // Its members may as well.
  absl::optional<gid_t> group = absl::nullopt;
};

// Whether the peer of `connection` is on the list. Root always is.
bool IsInvited(int connection, const GuestList& guests);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_NET_PEER_H_

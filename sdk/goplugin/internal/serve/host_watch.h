#ifndef GOPLUGIN_INTERNAL_SERVE_HOST_WATCH_H_
#define GOPLUGIN_INTERNAL_SERVE_HOST_WATCH_H_

#include <poll.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/serve/host_output.h"
#include "goplugin/internal/serve/lost_host.h"
#include "goplugin/internal/serve/starter.h"

namespace goplugin::internal {

// Where hosts connect to.
struct HostDoor {
  // The listener's (SocketName).
  std::string name;
  // How many connections of other processes it has seen; may be null.
  std::function<std::uint64_t()> visits = nullptr;
};

// Looks for the host of a plugin that is to end with it, and sleeps until a
// sign of the host's changes: while the host reads what it says, it is not
// woken. Not thread-safe.
class HostWatch {
 public:
  // To be made before descriptors 1 and 2 are led elsewhere, and the line is
  // written.
  HostWatch();

  // Whether there is anything to be seen of a host: one of 1 and 2 was a pipe
  // or a socket.
  bool sees() const { return !outputs_.empty(); }
  // Blocks until `end` is readable, or the host is gone: then it is true. Only
  // where it sees.
  bool WaitForLoss(int end, const HostDoor& door);

 private:
  // A shell that has left it at once ("plugin &") has not failed.
  void ForgetWhoHasLeft(const HostDoor& door);
  // The first sign of a host; in watched_ what tells of its end, and in
  // look_again_ how long to rely on that.
  absl::optional<HostSign> Look(const HostDoor& door);
  absl::optional<HostSign> LookForReaders();
  absl::optional<HostSign> LookForStarter();
  absl::optional<HostSign> LookForConnections(const std::string& listener);
  // Also of connections that have come and gone between two looks.
  absl::optional<HostSign> LookForVisits(const HostDoor& door);
  // Where those begin, of the processes in between, that have ended.
  std::vector<ForeignProcess>::iterator EndedInBetween();
  void Watch(const ForeignProcess& process);

  // Those whose other end the host has, where that is known.
  std::vector<HostOutput> outputs_;
  Starter starter_;
  std::uint64_t visits_ = 0;
  std::vector<UniqueFd> connections_;
  std::vector<pollfd> watched_;
  absl::Duration look_again_ = absl::InfiniteDuration();
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_HOST_WATCH_H_

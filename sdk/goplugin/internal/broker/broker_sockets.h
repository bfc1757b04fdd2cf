#ifndef GOPLUGIN_INTERNAL_BROKER_BROKER_SOCKETS_H_
#define GOPLUGIN_INTERNAL_BROKER_BROKER_SOCKETS_H_

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace goplugin::internal {

// Where the unix sockets of a broker go.
struct SocketsPlan {
  // The directory of the main connection's socket; "": TMPDIR or /tmp.
  std::string directory = {};
  // Whether that directory's group may use the sockets.
  bool for_group = false;
  // Whether that directory's owner is to own the sockets: a plugin that runs as
  // another user.
  bool for_owner = false;
};

// A private directory for the sockets on which one broker accepts, made when
// the first is asked for. One of its own, because gRPC opens sockets to whom
// the umask lets, and changing that would be felt by the whole process.
// Thread-safe.
class BrokerSockets {
 public:
  explicit BrokerSockets(SocketsPlan plan) : plan_(std::move(plan)) {}
  // Removes the directory, unless that was done.
  ~BrokerSockets() { Remove(); }
  BrokerSockets(const BrokerSockets&) = delete;
  BrokerSockets& operator=(const BrokerSockets&) = delete;

  // A path that nobody has used before, nor ever will. kTransport when no
  // directory can be made, the path would be too long, or after Remove.
  absl::StatusOr<std::string> NextPath();
  // Gives the socket there the main socket's access rights: this user's or the
  // plan's, and the group's if it is for one.
  absl::Status RestrictAccess(const std::string& path) const;
  // Removes the directory with the sockets in it.
  void Remove();

 private:
  absl::Status MakeDirectory() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const SocketsPlan plan_;
  absl::Mutex mutex_;
  std::string directory_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  bool removed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_BROKER_BROKER_SOCKETS_H_

#ifndef GOPLUGIN_INTERNAL_BROKER_BROKER_SOCKETS_H_
#define GOPLUGIN_INTERNAL_BROKER_BROKER_SOCKETS_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/net/peer.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// A directory for the sockets of a broker. It decides who gets to them.
struct BrokerDirectory {
  std::shared_ptr<const Directory> directory;
  mode_t socket_mode = 0600;
};

// Where the unix sockets of a broker go, and who may use them.
struct SocketsPlan {
  // Asked for each socket, so that a directory that is gone can be made again
  // elsewhere. Blocks as the file system does. Null: there is no place for any.
  std::function<absl::StatusOr<BrokerDirectory>()> directory = nullptr;
  // Who is let in of those who get there.
  GuestList guests = {};
};

// One listening socket. Its file goes with this object.
class BrokerSocket {
 public:
  BrokerSocket(std::shared_ptr<const Directory> directory, std::string name,
               UniqueFd listener)
      : directory_(std::move(directory)),
        name_(std::move(name)),
        listener_(std::move(listener)) {}
  ~BrokerSocket() { directory_->Unlink(name_).IgnoreError(); }
  BrokerSocket(const BrokerSocket&) = delete;
  BrokerSocket& operator=(const BrokerSocket&) = delete;

  std::string path() const { return directory_->PathOf(name_); }
  // For whoever accepts; once.
  UniqueFd TakeListener() { return std::move(listener_); }

 private:
  const std::shared_ptr<const Directory> directory_;
  const std::string name_;
  UniqueFd listener_;
};

// The sockets on which one broker accepts: bound by descriptor, each with its
// own name, in a directory that nobody but this user can change. Thread-safe.
class BrokerSockets {
 public:
  explicit BrokerSockets(SocketsPlan plan) : plan_(std::move(plan)) {}
  BrokerSockets(const BrokerSockets&) = delete;
  BrokerSockets& operator=(const BrokerSockets&) = delete;

  // A socket that listens at a path nobody has used before. kTransport when
  // there is no place for one, or its path would be too long; kShutDown after
  // Close.
  absl::StatusOr<std::unique_ptr<BrokerSocket>> Listen();
  const GuestList& guests() const { return plan_.guests; }
  // The broker has ended: there are no more.
  void Close();

 private:
  const SocketsPlan plan_;
  absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_BROKER_BROKER_SOCKETS_H_

#ifndef GOPLUGIN_INTERNAL_MUX_DOOR_H_
#define GOPLUGIN_INTERNAL_MUX_DOOR_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

class Multiplexer;

// A unix socket for this process alone: whoever in it connects there gets a
// stream of the multiplexed connection, all for one destination. That is how
// gRPC, which knows sockets only, comes to its connections. It has no name that
// others could use: see private_socket.h.
//
// Made by Multiplexer::OpenDoor; the socket goes with this object, connections
// made through it stay. Thread-safe.
class Door {
 public:
  // `place`: the socket's file.
  Door(std::weak_ptr<Multiplexer> multiplexer, std::uint64_t key,
       UniqueFd place)
      : multiplexer_(std::move(multiplexer)),
        key_(key),
        place_(std::move(place)),
        endpoint_{Endpoint::Network::kUnix,
                  absl::StrCat("/proc/self/fd/", place_.get())} {}
  ~Door() { Close(); }
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }

  // Closes the socket; who waits for a stream is turned away. gRPC may hold on
  // to its end of a door for much longer than anybody wants it.
  void Close();

  // Why the newest connection got no stream (yet); OK when it did.
  // kBrokerTimeout: it may work another time.
  absl::Status trouble() const {
    MutexLock lock(mutex_);
    return trouble_;
  }
  void set_trouble(absl::Status trouble) {
    MutexLock lock(mutex_);
    trouble_ = std::move(trouble);
  }

 private:
  const std::weak_ptr<Multiplexer> multiplexer_;
  const std::uint64_t key_;
  const UniqueFd place_;
  const Endpoint endpoint_;
  mutable absl::Mutex mutex_;
  absl::Status trouble_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_DOOR_H_

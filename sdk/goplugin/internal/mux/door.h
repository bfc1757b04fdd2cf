#ifndef GOPLUGIN_INTERNAL_MUX_DOOR_H_
#define GOPLUGIN_INTERNAL_MUX_DOOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

class Multiplexer;

// Where this process gets streams of the multiplexed connection, all for one
// destination. Where gRPC knows sockets only it is a unix socket for this
// process alone, with no name that others could use: see private_socket.h.
// Whoever connects there gets a stream. Else a stream is had by Enter.
//
// Made by Multiplexer::OpenDoor; the socket goes with this object, connections
// made through it stay. Thread-safe.
class Door {
 public:
  // `place`: the socket's file; invalid where there is none.
  Door(std::weak_ptr<Multiplexer> multiplexer, std::uint64_t key,
       UniqueFd place)
      : multiplexer_(std::move(multiplexer)),
        key_(key),
        place_(std::move(place)),
        endpoint_{Endpoint::Network::kUnix,
                  place_.valid() ? absl::StrCat("/proc/self/fd/", place_.get())
                                 : std::string(kNowhere)} {}
  ~Door() { Close(); }
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  // What a channel's target is; where it is no socket, a name without a place.
  const Endpoint& endpoint() const { return endpoint_; }
  bool is_socket() const { return place_.valid(); }

  // Asks for a stream, where it is no socket. `entered` is called, once, on any
  // thread.
  void Enter(StreamCallback entered);

  // Closes it; who waits for a stream is turned away. gRPC may hold on
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
  // Nothing is ever there.
  static constexpr char kNowhere[] = "/dev/null/multiplexed";

  const std::weak_ptr<Multiplexer> multiplexer_;
  const std::uint64_t key_;
  const UniqueFd place_;
  const Endpoint endpoint_;
  mutable absl::Mutex mutex_;
  absl::Status trouble_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_DOOR_H_

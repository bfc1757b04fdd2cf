#ifndef TESTS_UNIT_MUX_SOCKETS_H_
#define TESTS_UNIT_MUX_SOCKETS_H_

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/endpoint/local_end.h"
#include "goplugin/internal/mux/multiplexer.h"
#include "goplugin/internal/net/open_connection.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "tests/unit/mux/stream_socket.h"

namespace goplugin::internal {

// What stands in for a gRPC server: keeps the streams that come.
class Server {
 public:
  Multiplexer::Take take() {
    return [queue = queue_](LocalEnd connection) {
      UniqueFd socket = SocketOver(std::move(connection));
      MutexLock lock(queue->mutex);
      queue->connections.push_back(std::move(socket));
    };
  }
  // The next one; invalid when none comes.
  UniqueFd Accept() {
    MutexLock lock(queue_->mutex);
    const auto has_come = [this] {
      queue_->mutex.AssertReaderHeld();
      return !queue_->connections.empty();
    };
    if (!queue_->mutex.AwaitWithTimeout(absl::Condition(&has_come),
                                        absl::Seconds(20))) {
      return UniqueFd();
    }
    UniqueFd connection = std::move(queue_->connections.front());
    queue_->connections.pop_front();
    return connection;
  }

 private:
  struct Queue {
    absl::Mutex mutex;
    std::deque<UniqueFd> connections ABSL_GUARDED_BY(mutex);
  };
  const std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
};

// A connection to a door's socket, as gRPC makes it; invalid when there is none
// to be had.
inline UniqueFd ConnectTo(const std::string& path) {
  absl::StatusOr<UniqueFd> connection = OpenConnection(
      {Endpoint::Network::kUnix, path}, std::chrono::steady_clock::now());
  return connection.ok() ? *std::move(connection) : UniqueFd();
}

// Doors are made in `directory`.
inline MakeDoorSocket DoorsIn(std::string directory) {
  return [directory = std::move(directory)]() -> absl::StatusOr<DoorSocket> {
    absl::StatusOr<Directory> opened = Directory::Open(directory);
    if (!opened.ok()) return opened.status();
    return MakeDoorSocketIn(*opened);
  };
}

// How a multiplexer's streams come to their owners: as sockets, or as they are.
enum class StreamKind { kSockets, kStreams };

inline std::unique_ptr<IoPlace> PlaceFor(StreamKind kind) {
  return kind == StreamKind::kStreams ? IoPlace::Take() : nullptr;
}

inline std::string NameOf(const ::testing::TestParamInfo<StreamKind>& info) {
  return info.param == StreamKind::kSockets ? "Sockets" : "Streams";
}

}  // namespace goplugin::internal

#endif  // TESTS_UNIT_MUX_SOCKETS_H_

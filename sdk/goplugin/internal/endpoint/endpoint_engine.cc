#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "goplugin/internal/endpoint/connect_attempt.h"
#include "goplugin/internal/endpoint/endpoint_engine.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

EndpointEngine::ConnectionHandle EndpointEngine::Connect(
    OnConnectCallback on_connect, const ResolvedAddress& address,
    const grpc_event_engine::experimental::EndpointConfig& config,
    grpc_event_engine::experimental::MemoryAllocator allocator,
    Duration timeout) {
  std::unique_ptr<IoPlace> place = IoPlace::Take();
  if (place == nullptr) {
    return grpcs_->Connect(std::move(on_connect), address, config,
                           std::move(allocator), timeout);
  }
  std::shared_ptr<ConnectAttempt> attempt;
  std::intptr_t id = 0;
  {
    MutexLock lock(attempts_->mutex);
    id = ++attempts_->last;
    ConnectAttempt::Parts parts;
    parts.grpcs = grpcs_;
    parts.on_connect = std::move(on_connect);
    parts.allocator = std::move(allocator);
    parts.place = std::move(place);
    parts.on_over = [attempts = attempts_, id] {
      MutexLock lock(attempts->mutex);
      attempts->all.erase(id);
    };
    attempt = std::make_shared<ConnectAttempt>(std::move(parts));
    attempts_->all[id] = attempt;
  }
  attempt->Start(address, timeout);
  return {{id, OwnKey()}};
}

bool EndpointEngine::CancelConnect(ConnectionHandle handle) {
  if (handle.keys[1] != OwnKey()) return grpcs_->CancelConnect(handle);
  std::shared_ptr<ConnectAttempt> attempt;
  {
    MutexLock lock(attempts_->mutex);
    const auto found = attempts_->all.find(handle.keys[0]);
    if (found == attempts_->all.end()) return false;
    attempt = found->second;
  }
  return attempt->Cancel();
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS

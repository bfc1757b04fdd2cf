#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "goplugin/internal/endpoint/attempt.h"
#include "goplugin/internal/endpoint/connect_attempt.h"
#include "goplugin/internal/endpoint/endpoint_engine.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/endpoint/stream_attempt.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

template <typename Kind>
std::shared_ptr<Kind> EndpointEngine::Add(typename Kind::Parts parts,
                                          std::intptr_t& key) {
  MutexLock lock(attempts_->mutex);
  key = ++attempts_->last;
  parts.on_over = [attempts = attempts_, key] {
    MutexLock lock(attempts->mutex);
    attempts->all.erase(key);
  };
  auto attempt = std::make_shared<Kind>(std::move(parts));
  attempts_->all[key] = attempt;
  return attempt;
}

EndpointEngine::ConnectionHandle EndpointEngine::Connect(
    OnConnectCallback on_connect, const ResolvedAddress& address,
    const grpc_event_engine::experimental::EndpointConfig& config,
    grpc_event_engine::experimental::MemoryAllocator allocator,
    Duration timeout) {
  std::intptr_t key = 0;
  if (open_ != nullptr) {
    StreamAttempt::Parts parts;
    parts.grpcs = grpcs_;
    parts.on_connect = std::move(on_connect);
    parts.allocator = std::move(allocator);
    parts.peer = address;
    Add<StreamAttempt>(std::move(parts), key)->Start(open_, timeout);
    return {{key, OwnKey()}};
  }
  std::unique_ptr<IoPlace> place = IoPlace::Take();
  if (place == nullptr) {
    return grpcs_->Connect(std::move(on_connect), address, config,
                           std::move(allocator), timeout);
  }
  ConnectAttempt::Parts parts;
  parts.grpcs = grpcs_;
  parts.on_connect = std::move(on_connect);
  parts.allocator = std::move(allocator);
  parts.place = std::move(place);
  Add<ConnectAttempt>(std::move(parts), key)->Start(address, timeout);
  return {{key, OwnKey()}};
}

bool EndpointEngine::CancelConnect(ConnectionHandle handle) {
  if (handle.keys[1] != OwnKey()) return grpcs_->CancelConnect(handle);
  // Whoever held the locks is not here.
  if (ForkedFromIoThreads()) return false;
  std::shared_ptr<Attempt> attempt;
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

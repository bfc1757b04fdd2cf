#ifndef GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_ENGINE_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_ENGINE_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/endpoint/attempt.h"
#include "goplugin/internal/endpoint/byte_stream.h"

namespace goplugin::internal {

// The engine of one channel: its connections are ours, everything else is left
// to another engine. Thread-safe.
class EndpointEngine final
    : public grpc_event_engine::experimental::EventEngine {
 public:
  // `grpcs`: gRPC's own, or the caller's. `open`, where it is not null, opens
  // its connections, wherever they are said to lead. Held by shared_ptr.
  explicit EndpointEngine(std::shared_ptr<EventEngine> grpcs,
                          OpenStream open = nullptr)
      : grpcs_(std::move(grpcs)),
        open_(std::move(open)),
        attempts_(std::make_shared<Attempts>()) {}

  // Without an io thread for a socket, gRPC connects.
  ConnectionHandle Connect(
      OnConnectCallback on_connect, const ResolvedAddress& address,
      const grpc_event_engine::experimental::EndpointConfig& config,
      grpc_event_engine::experimental::MemoryAllocator allocator,
      Duration timeout) override;
  bool CancelConnect(ConnectionHandle handle) override;

  absl::StatusOr<std::unique_ptr<Listener>> CreateListener(
      Listener::AcceptCallback on_accept,
      absl::AnyInvocable<void(absl::Status)> on_shutdown,
      const grpc_event_engine::experimental::EndpointConfig& config,
      std::unique_ptr<grpc_event_engine::experimental::MemoryAllocatorFactory>
          allocators) override {
    return grpcs_->CreateListener(std::move(on_accept), std::move(on_shutdown),
                                  config, std::move(allocators));
  }
  bool IsWorkerThread() override { return grpcs_->IsWorkerThread(); }
  absl::StatusOr<std::unique_ptr<DNSResolver>> GetDNSResolver(
      const DNSResolver::ResolverOptions& options) override {
    return grpcs_->GetDNSResolver(options);
  }
  // Not on the io threads: what is run may be the user's code, which waits for
  // what comes by them.
  void Run(Closure* closure) override { grpcs_->Run(closure); }
  void Run(absl::AnyInvocable<void()> closure) override {
    grpcs_->Run(std::move(closure));
  }
  TaskHandle RunAfter(Duration when, Closure* closure) override {
    return grpcs_->RunAfter(when, closure);
  }
  TaskHandle RunAfter(Duration when,
                      absl::AnyInvocable<void()> closure) override {
    return grpcs_->RunAfter(when, std::move(closure));
  }
  bool Cancel(TaskHandle handle) override { return grpcs_->Cancel(handle); }

 private:
  // Those under way, by the first key of their handles; the second is the
  // engine's address, which no handle of gRPC's has. Outlives the engine, for
  // an attempt that is just over.
  struct Attempts {
    absl::Mutex mutex;
    std::intptr_t last ABSL_GUARDED_BY(mutex) = 0;
    std::unordered_map<std::intptr_t, std::shared_ptr<Attempt>> all
        ABSL_GUARDED_BY(mutex);
  };

  std::intptr_t OwnKey() const { return reinterpret_cast<std::intptr_t>(this); }
  // An attempt made of `parts`, which may be cancelled by the key until it is
  // over. Not begun yet.
  template <typename Kind>
  std::shared_ptr<Kind> Add(typename Kind::Parts parts, std::intptr_t& key);

  const std::shared_ptr<EventEngine> grpcs_;
  const OpenStream open_;
  const std::shared_ptr<Attempts> attempts_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_ENGINE_H_

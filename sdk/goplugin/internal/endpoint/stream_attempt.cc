#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/endpoint/stream_attempt.h"
#include "goplugin/internal/endpoint/stream_endpoint.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;
using Endpoint = std::unique_ptr<EventEngine::Endpoint>;

}  // namespace

void StreamAttempt::Start(const OpenStream& open,
                          EventEngine::Duration timeout) {
  {
    MutexLock lock(mutex_);
    timer_ = parts_.grpcs->RunAfter(timeout, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->End(absl::DeadlineExceededError("no stream was opened in time"));
      }
    });
  }
  open([self = shared_from_this()](Opened opened) {
    self->End(std::move(opened));
  });
}

bool StreamAttempt::Cancel() { return TakeAll() != nullptr; }

void StreamAttempt::End(Opened opened) {
  std::unique_ptr<Parts> parts = TakeAll();
  if (parts == nullptr) return;
  // Whoever has opened it does not wait for what gRPC does with it.
  const std::shared_ptr<EventEngine> grpcs = parts->grpcs;
  grpcs->Run([parts = std::move(parts), opened = std::move(opened)]() mutable {
    if (!opened.ok()) return parts->on_connect(opened.status());
    Endpoint endpoint =
        MakeStreamEndpoint(*std::move(opened), parts->peer, Unnamed(),
                           std::move(parts->allocator));
    if (endpoint == nullptr) {
      return parts->on_connect(absl::UnavailableError("can't be watched"));
    }
    parts->on_connect(std::move(endpoint));
  });
}

std::unique_ptr<StreamAttempt::Parts> StreamAttempt::TakeAll() {
  std::unique_ptr<Parts> parts;
  EventEngine::TaskHandle timer;
  {
    MutexLock lock(mutex_);
    if (std::exchange(over_, true)) return nullptr;
    parts = std::make_unique<Parts>(std::move(parts_));
    timer = timer_;
  }
  if (timer != EventEngine::TaskHandle::kInvalid) parts->grpcs->Cancel(timer);
  parts->on_over();
  return parts;
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS

#ifndef GOPLUGIN_INTERNAL_ENDPOINT_CALLBACK_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_CALLBACK_H_

#include <grpc/event_engine/event_engine.h>

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"

namespace goplugin::internal {

// What gRPC gives to hear of the end of a read or a write.
using IoCallback = absl::AnyInvocable<void(absl::Status)>;

// Calls `callback`, if any, on a thread of gRPC's: whoever has begun, or ended,
// what it is about may hold locks that it takes.
inline void CallLater(IoCallback callback, absl::Status status) {
  if (callback == nullptr) return;
  grpc_event_engine::experimental::GetDefaultEventEngine()->Run(
      [callback = std::move(callback), status = std::move(status)]() mutable {
        callback(std::move(status));
      });
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_CALLBACK_H_

#ifndef GOPLUGIN_INTERNAL_ENDPOINT_STREAM_ATTEMPT_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_STREAM_ATTEMPT_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/endpoint/attempt.h"
#include "goplugin/internal/endpoint/byte_stream.h"

namespace goplugin::internal {

// A stream on its way to a channel that has asked for it. One that comes when
// nobody waits for it any more is closed. Thread-safe.
class StreamAttempt final : public Attempt,
                            public std::enable_shared_from_this<StreamAttempt> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;
  struct Parts {
    // Timers, and the thread that `on_connect` is called on.
    std::shared_ptr<EventEngine> grpcs;
    EventEngine::OnConnectCallback on_connect;
    grpc_event_engine::experimental::MemoryAllocator allocator;
    // What the other end is called.
    EventEngine::ResolvedAddress peer;
    // Called once, when nothing is left to be cancelled, with no lock held.
    absl::AnyInvocable<void()> on_over;
  };

  explicit StreamAttempt(Parts parts) : parts_(std::move(parts)) {}

  // Once. `on_connect` is called later, whatever comes of it.
  void Start(const OpenStream& open, EventEngine::Duration timeout);
  bool Cancel() override;

 private:
  using Opened = absl::StatusOr<std::unique_ptr<ByteStream>>;

  void End(Opened opened);
  // Once: null where somebody else has ended it.
  std::unique_ptr<Parts> TakeAll();

  absl::Mutex mutex_;
  Parts parts_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  EventEngine::TaskHandle timer_ ABSL_GUARDED_BY(mutex_) =
      EventEngine::TaskHandle::kInvalid;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_STREAM_ATTEMPT_H_

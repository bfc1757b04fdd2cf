#ifndef GOPLUGIN_INTERNAL_ENDPOINT_CONNECT_ATTEMPT_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_CONNECT_ATTEMPT_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/endpoint/attempt.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// A socket on its way to be connected. Thread-safe.
class ConnectAttempt final
    : public Attempt,
      public IoHandler,
      public std::enable_shared_from_this<ConnectAttempt> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;
  struct Parts {
    // Timers, and the thread that `on_connect` is called on.
    std::shared_ptr<EventEngine> grpcs;
    EventEngine::OnConnectCallback on_connect;
    grpc_event_engine::experimental::MemoryAllocator allocator;
    std::unique_ptr<IoPlace> place;
    // Called once, when nothing is left to be cancelled, with no lock held.
    absl::AnyInvocable<void()> on_over;
  };

  explicit ConnectAttempt(Parts parts) : parts_(std::move(parts)) {}
  ~ConnectAttempt() override;

  // Once. `on_connect` is called later, whatever comes of it.
  void Start(const EventEngine::ResolvedAddress& given,
             EventEngine::Duration timeout);
  bool Cancel() override;

  void OnEvents(std::uint32_t events) override;

 private:
  using Connected = absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>>;

  // What is left to the one who ends it. The socket goes before its place.
  struct Ended {
    Parts parts;
    UniqueFd socket;
  };

  // The socket is connected, or has that error.
  void End(int error_number);
  void EndWith(const absl::Status& error);
  // Once: null where somebody else has ended it.
  std::unique_ptr<Ended> TakeAll();
  static void Tell(Parts& parts, Connected connected);

  absl::Mutex mutex_;
  Parts parts_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  UniqueFd socket_ ABSL_GUARDED_BY(mutex_);
  EventEngine::TaskHandle timer_ ABSL_GUARDED_BY(mutex_) =
      EventEngine::TaskHandle::kInvalid;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_CONNECT_ATTEMPT_H_

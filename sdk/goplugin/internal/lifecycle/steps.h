#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_STEPS_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_STEPS_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"

namespace goplugin::internal {

// A ticket for a step that may take long: `work` runs on the lane, and `then`
// takes what it brought on the loop's thread. When the owner is gone by then,
// nobody waits any more: what was brought is dropped, on the lane, where its
// destructor may take its time to end a plugin or remove a directory.
//
// `then` is called with the owner and the result; it must not block.
template <typename Owner, typename Work, typename Then>
void TakeStep(std::shared_ptr<Lane> lane, EventLoop& loop,
              std::weak_ptr<Owner> owner, Work work, Then then) {
  Lane& here = *lane;
  here.Post([lane = std::move(lane), &loop, owner = std::move(owner),
             work = std::move(work), then = std::move(then)]() mutable {
    loop.Post([lane = std::move(lane), owner = std::move(owner),
               then = std::move(then), result = work()]() mutable {
      if (const std::shared_ptr<Owner> alive = owner.lock()) {
        return then(*alive, std::move(result));
      }
      Lane& here = *lane;
      here.Post([result = std::move(result)] { static_cast<void>(result); });
    });
  });
}

// What is told when none was begun in time.
absl::Status NoFreeThread();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_STEPS_H_

#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_LEFT_CHILDREN_REAPER_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_LEFT_CHILDREN_REAPER_H_

#include <memory>

#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/process/left_children.h"

namespace goplugin::internal {

// Reaps the children that nobody watches any more as they end, so that none
// stays a zombie while the threads run. Lives on the loop's thread.
class LeftChildrenReaper {
 public:
  explicit LeftChildrenReaper(EventLoop& loop);
  LeftChildrenReaper(const LeftChildrenReaper&) = delete;
  LeftChildrenReaper& operator=(const LeftChildrenReaper&) = delete;

 private:
  void Reap();

  const LeftChildrenWatch children_;
  Timer poll_;
  // nullptr where the system has nothing to watch.
  std::unique_ptr<DescriptorWatch> watch_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_LEFT_CHILDREN_REAPER_H_

#include "goplugin/internal/lifecycle/left_children_reaper.h"

#include <memory>

#include "absl/time/time.h"

namespace goplugin::internal {
namespace {

// For children that can't be watched.
constexpr absl::Duration kPoll = absl::Milliseconds(200);

}  // namespace

LeftChildrenReaper::LeftChildrenReaper(EventLoop& loop) : poll_(loop) {
  if (children_.descriptor() >= 0) {
    watch_ = std::make_unique<DescriptorWatch>(
        loop, children_.descriptor(),
        DescriptorWatch::Callbacks{[this] { Reap(); }, nullptr});
  }
  Reap();
}

void LeftChildrenReaper::Reap() {
  const bool some_are_left = ReapLeftChildren() > 0;
  if (watch_ != nullptr) watch_->WaitReadable();
  if (some_are_left) poll_.Start(kPoll, [this] { Reap(); });
}

}  // namespace goplugin::internal

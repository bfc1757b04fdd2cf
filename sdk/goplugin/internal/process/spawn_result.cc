#include "goplugin/internal/process/spawn_result.h"

#include <utility>

#include "goplugin/internal/process/left_children.h"

namespace goplugin::internal {

SpawnResult::SpawnResult(ChildProcess child) : child_(std::move(child)) {}

SpawnResult::SpawnResult(SpawnStep step, int error_number, size_t item)
    : step_(step), error_number_(error_number), item_(item) {}

SpawnResult::~SpawnResult() {
  if (ok()) EndChild(TakeChild());
}

SpawnResult::SpawnResult(SpawnResult&& other) noexcept
    : child_(other.TakeChild()),
      step_(other.step_),
      error_number_(other.error_number_),
      item_(other.item_) {}

SpawnResult& SpawnResult::operator=(SpawnResult&& other) noexcept {
  if (this == &other) return *this;
  if (ok()) EndChild(TakeChild());
  child_ = other.TakeChild();
  step_ = other.step_;
  error_number_ = other.error_number_;
  item_ = other.item_;
  return *this;
}

ChildProcess SpawnResult::TakeChild() {
  return std::exchange(child_, ChildProcess());
}

}  // namespace goplugin::internal

#ifndef GOPLUGIN_INTERNAL_PROCESS_SPAWN_RESULT_H_
#define GOPLUGIN_INTERNAL_PROCESS_SPAWN_RESULT_H_

#include <cstddef>

#include "goplugin/internal/process/child_process.h"
#include "goplugin/internal/process/child_setup.h"

namespace goplugin::internal {

// What a spawner brings: a child, or where it failed. A child that nobody takes
// is killed, and reaped once it has ended (left_children.h): whoever drops the
// result leaves nothing behind.
class SpawnResult {
 public:
  // A child that executes its program. Its pipes are not here yet.
  explicit SpawnResult(ChildProcess child);
  // No child. `item` is which of the step's items it was: the third limit.
  SpawnResult(SpawnStep step, int error_number, size_t item);
  ~SpawnResult();
  SpawnResult(SpawnResult&& other) noexcept;
  SpawnResult& operator=(SpawnResult&& other) noexcept;
  SpawnResult(const SpawnResult&) = delete;
  SpawnResult& operator=(const SpawnResult&) = delete;

  // There is a child, which has not been taken.
  bool ok() const { return child_.pid > 0; }
  ChildProcess TakeChild();

  SpawnStep step() const { return step_; }
  int error_number() const { return error_number_; }
  size_t item() const { return item_; }

 private:
  ChildProcess child_;
  SpawnStep step_ = SpawnStep::kExec;
  int error_number_ = 0;
  size_t item_ = 0;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_SPAWN_RESULT_H_

#ifndef GOPLUGIN_INTERNAL_START_PROCESS_OUTPUT_H_
#define GOPLUGIN_INTERNAL_START_PROCESS_OUTPUT_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/start/plugin_output.h"
#include "goplugin/internal/start/plugin_process.h"

namespace goplugin::internal {

// The readers of a process's two streams, pipes or files. Lives on the loop's
// thread.
class ProcessOutput {
 public:
  // `callbacks` outlive this object, and may change. A descriptor that is not
  // valid stands for output that is not seen. Files are read on `pool`.
  ProcessOutput(EventLoop& loop, Pool& pool, UniqueFd stdout_fd,
                UniqueFd stderr_fd, PluginProcess::Callbacks& callbacks);

  // Hands over the last words of a process that is gone, then calls `done`:
  // from inside, or, for files, within 2 s. Once; not when this object goes
  // before.
  void Drain(absl::AnyInvocable<void()> done);

 private:
  // Stops reading a stream while there is no room for more of it.
  void Brake(std::unique_ptr<OutputReader> ProcessOutput::*reader,
             absl::AnyInvocable<bool(absl::AnyInvocable<void()>)>& has_room);

  std::unique_ptr<OutputReader> stdout_;
  std::unique_ptr<OutputReader> stderr_;
  // What a late Resume looks for: gone with this object.
  const std::shared_ptr<ProcessOutput*> self_;
};

// Callbacks that hand on all that a process writes. `output` outlives them;
// on_exit is left to the caller.
PluginProcess::Callbacks OutputCallbacks(PluginOutput& output);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_PROCESS_OUTPUT_H_

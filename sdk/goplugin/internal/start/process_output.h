#ifndef GOPLUGIN_INTERNAL_START_PROCESS_OUTPUT_H_
#define GOPLUGIN_INTERNAL_START_PROCESS_OUTPUT_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/start/plugin_output.h"
#include "goplugin/internal/start/plugin_process.h"

namespace goplugin::internal {

// The readers of a process's two streams, pipes or files. Lives on the loop's
// thread.
class ProcessOutput {
 public:
  // `callbacks` outlive this object, and may change. A descriptor that is not
  // valid stands for output that is not seen.
  ProcessOutput(EventLoop& loop, UniqueFd stdout_fd, UniqueFd stderr_fd,
                PluginProcess::Callbacks& callbacks);

  // Hands over the last words of a process that is gone.
  void Drain();

 private:
  std::unique_ptr<OutputReader> stdout_;
  std::unique_ptr<OutputReader> stderr_;
};

// Callbacks that hand on all that a process writes. `output` outlives them;
// on_exit is left to the caller.
PluginProcess::Callbacks OutputCallbacks(PluginOutput& output);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_PROCESS_OUTPUT_H_

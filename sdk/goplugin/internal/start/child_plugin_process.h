#ifndef GOPLUGIN_INTERNAL_START_CHILD_PLUGIN_PROCESS_H_
#define GOPLUGIN_INTERNAL_START_CHILD_PLUGIN_PROCESS_H_

#include <memory>

#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/process/spawn.h"
#include "goplugin/internal/start/plugin_process.h"
#include "goplugin/internal/start/process_output.h"

namespace goplugin::internal {

// A running child, watched: its output until that ends, its exit once. Lives on
// the loop's thread.
class ChildPluginProcess final : public PluginProcess {
 public:
  // Output that goes to files is read on `pool`.
  ChildPluginProcess(EventLoop& loop, Pool& pool, ChildProcess child,
                     Callbacks callbacks);
  // Kills a child that has not ended, which is reaped when it has.
  ~ChildPluginProcess() override;

  bool controllable() const override { return true; }
  void Signal(int signal) override;
  void Detach() override;

 private:
  void WatchExit();
  void OnMaybeExited();

  EventLoop& loop_;
  ChildProcess child_;
  ProcessOutput output_;
  Timer poll_;
  std::unique_ptr<DescriptorWatch> watch_;
  // It is gone, and its last words are still to come.
  bool reaped_ = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_CHILD_PLUGIN_PROCESS_H_

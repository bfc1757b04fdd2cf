#ifndef GOPLUGIN_INTERNAL_START_CHILD_PLUGIN_PROCESS_H_
#define GOPLUGIN_INTERNAL_START_CHILD_PLUGIN_PROCESS_H_

#include <memory>

#include "absl/types/optional.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/process/descendants.h"
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
  bool awaits_others() const override { return awaits_others_; }
  void Signal(int signal) override;
  void OnServing() override;
  void OnAsked() override { asked_ = true; }
  bool CloseStdin() override;
  void Detach() override;

 private:
  void WatchExit();
  void OnMaybeExited();
  void Reap();
  void AwaitDescendants();
  void Kill();
  // Lets nothing go that it has stopped.
  void KillNow();

  EventLoop& loop_;
  Pool& pool_;
  ChildProcess child_;
  ProcessOutput output_;
  Timer poll_;
  Timer kill_;
  std::unique_ptr<DescriptorWatch> watch_;
  // It is gone, and its last words are still to come.
  bool reaped_ = false;
  ExitStatus status_;
  Descendants descendants_;
  // Since the exit, and since the first look before SIGKILL.
  absl::optional<Stopwatch> since_exit_;
  absl::optional<Stopwatch> since_stop_;
  bool killed_ = false;
  bool awaits_others_ = false;
  bool asked_ = false;
  // What it has started is to end: without, it is left alone.
  bool signalled_ = false;
  // What the search for those looks for: gone with this object.
  const std::shared_ptr<ChildPluginProcess*> self_ =
      std::make_shared<ChildPluginProcess*>(this);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_CHILD_PLUGIN_PROCESS_H_

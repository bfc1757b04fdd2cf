#ifndef GOPLUGIN_INTERNAL_START_HELD_PLUGIN_PROCESS_H_
#define GOPLUGIN_INTERNAL_START_HELD_PLUGIN_PROCESS_H_

#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/process/held_process.h"
#include "goplugin/internal/process/spawn.h"
#include "goplugin/internal/start/plugin_process.h"

namespace goplugin::internal {

// A process that somebody else started, held by its descriptor: its exit is
// seen and signals reach it, but not what it writes. Lives on the loop's
// thread.
class HeldPluginProcess final : public PluginProcess {
 public:
  // Of the callbacks, only on_exit is ever called.
  HeldPluginProcess(EventLoop& loop, HeldProcess process, Callbacks callbacks);

  bool controllable() const override { return true; }
  void Signal(int signal) override;
  void Detach() override {}

 private:
  void OnExit();

  // Not a child; what sends signals by descriptor takes it for one.
  ChildProcess process_;
  DescriptorWatch watch_;
};

// A process that nothing is known of.
class UnseenPluginProcess final : public PluginProcess {
 public:
  UnseenPluginProcess() : PluginProcess(-1, {}) {}

  bool controllable() const override { return false; }
  void Signal(int /*signal*/) override {}
  void Detach() override {}
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_HELD_PLUGIN_PROCESS_H_

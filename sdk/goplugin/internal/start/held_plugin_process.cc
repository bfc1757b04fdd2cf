#include "goplugin/internal/start/held_plugin_process.h"

#include <utility>

#include "goplugin/exit_status.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/process/held_process.h"
#include "goplugin/internal/process/left_children.h"

namespace goplugin::internal {
namespace {

ChildProcess AsChild(HeldProcess process) {
  ChildProcess child;
  child.pid = process.pid;
  child.pidfd = std::move(process.pidfd);
  return child;
}

}  // namespace

HeldPluginProcess::HeldPluginProcess(EventLoop& loop, HeldProcess process,
                                     Callbacks callbacks)
    : PluginProcess(process.pid, std::move(callbacks)),
      process_(AsChild(std::move(process))),
      watch_(loop, process_.pidfd.get(), {[this] { OnExit(); }, nullptr}) {
  watch_.WaitReadable();
}

void HeldPluginProcess::OnExit() {
  // It may be a child of this very host, from a client that let go of it.
  ReapLeftChildren();
  Exited(RecoverStatus(process_.pidfd.get()));
}

void HeldPluginProcess::Signal(int signal) {
  if (exit_status().has_value()) return;
  SendSignal(process_, signal, /*whole_group=*/false);
}

}  // namespace goplugin::internal

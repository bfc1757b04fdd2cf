#ifndef GOPLUGIN_INTERNAL_SERVE_MUX_LISTENER_H_
#define GOPLUGIN_INTERNAL_SERVE_MUX_LISTENER_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "goplugin/internal/channel/connection_intake.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/mux/multiplexer.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/serve/accept_threads.h"
#include "goplugin/internal/serve/plugin_directories.h"
#include "goplugin/internal/serve/plugin_listener.h"

namespace goplugin::internal {

// The plugin's end of a multiplexed connection: the place that the line
// announces, where the host connects once, and the streams behind it.
//
// Not thread-safe; the multiplexer is.
class MuxListener {
 public:
  struct Callbacks {
    // A remark for the log. On the loop's thread, must not block.
    std::function<void(std::string)> warn;
    // The host has gone; nobody can come instead. On the loop's thread, must
    // not block.
    std::function<void()> on_host_gone;
  };

  // Streams of the host's will go to the server behind `intake`; sockets of
  // this process's own into `directories`. `threads` work.
  MuxListener(std::unique_ptr<PluginListener> listener,
              std::shared_ptr<AcceptThreads> threads,
              std::shared_ptr<PluginDirectories> directories,
              std::shared_ptr<ConnectionIntake> intake, Callbacks callbacks);
  // Closes the connection, after what the servers have said last has gone out,
  // as far as the host takes it in a moment.
  ~MuxListener();
  MuxListener(const MuxListener&) = delete;
  MuxListener& operator=(const MuxListener&) = delete;

  // Takes the host that has connected, or the one that will. Once.
  void Accept();

  const std::shared_ptr<Multiplexer>& multiplexer() const {
    return multiplexer_;
  }

 private:
  void OnConnection();

  const std::shared_ptr<AcceptThreads> threads_;
  const std::unique_ptr<PluginListener> place_;
  UniqueFd listener_;
  // Used on the loop's thread.
  std::unique_ptr<DescriptorWatch> watch_;
  std::unique_ptr<Timer> retry_;
  std::shared_ptr<Multiplexer> multiplexer_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_MUX_LISTENER_H_

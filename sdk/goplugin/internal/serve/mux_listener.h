#ifndef GOPLUGIN_INTERNAL_SERVE_MUX_LISTENER_H_
#define GOPLUGIN_INTERNAL_SERVE_MUX_LISTENER_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/channel/connection_intake.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/mux/multiplexer.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/serve/accept_threads.h"
#include "goplugin/internal/serve/plugin_server.h"
#include "goplugin/internal/serve/plugin_socket.h"

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

  // Listens where `plan` says: only its networks, ports, directories and
  // threads matter. Streams of the host's go to the server behind `intake`.
  // kTransport when there is nowhere to listen.
  static absl::StatusOr<std::unique_ptr<MuxListener>> Start(
      const ServerPlan& plan, std::shared_ptr<ConnectionIntake> intake,
      Callbacks callbacks);
  // Closes the connection, after what the servers have said last has gone out,
  // as far as the host takes it in a moment.
  ~MuxListener();
  MuxListener(const MuxListener&) = delete;
  MuxListener& operator=(const MuxListener&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }
  const std::shared_ptr<Multiplexer>& multiplexer() const {
    return multiplexer_;
  }

 private:
  explicit MuxListener(std::shared_ptr<AcceptThreads> threads)
      : threads_(std::move(threads)) {}

  absl::Status Listen(Endpoint::Network network, const ServerPlan& plan);
  absl::Status ListenUnix(const ServerPlan& plan);
  absl::Status ListenTcp(const ServerPlan& plan);
  void OnConnection();

  const std::shared_ptr<AcceptThreads> threads_;
  Endpoint endpoint_;
  // nullptr for tcp.
  std::unique_ptr<PluginSocket> socket_;
  UniqueFd listener_;
  // Used on the loop's thread.
  std::unique_ptr<DescriptorWatch> watch_;
  std::unique_ptr<Timer> retry_;
  std::shared_ptr<Multiplexer> multiplexer_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_MUX_LISTENER_H_

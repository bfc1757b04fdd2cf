#ifndef GOPLUGIN_INTERNAL_CONNECT_MUX_LINK_H_
#define GOPLUGIN_INTERNAL_CONNECT_MUX_LINK_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/mux/door.h"
#include "goplugin/internal/mux/multiplexer.h"
#include "goplugin/internal/mux/private_socket.h"
#include "goplugin/internal/net/reach.h"
#include "goplugin/internal/net/socket_address.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// The host's end of a multiplexed plugin: the one connection to it, made at
// once (a Go plugin takes it for 5 s after its line only), and the door to its
// main server.
//
// Lives on the loop's thread.
class MuxLink {
 public:
  struct Callbacks {
    // A remark for the log.
    std::function<void(std::string)> warn;
    // The connection did not come about, or is over. Not called from inside a
    // method.
    std::function<void(const absl::Status&)> on_end;
  };

  // Where to connect, as FindApproach has found it.
  struct Target {
    // What errors call it.
    Endpoint endpoint;
    std::shared_ptr<const Way> way;
    // Who has to be there: asked on the connection, before a byte is sent.
    PeerRule peers = {};
    // gRPC's way in, as FindApproach has found it, and how further sockets are
    // made.
    std::unique_ptr<IoPlace> place = nullptr;
    DoorSocket main_door = {};
    MakeDoorSocket make_door = nullptr;
  };

  // Begins to connect to the plugin.
  static absl::StatusOr<std::unique_ptr<MuxLink>> Open(EventLoop& loop,
                                                       Target target,
                                                       Callbacks callbacks);
  // Closes the connection.
  ~MuxLink();
  MuxLink(const MuxLink&) = delete;
  MuxLink& operator=(const MuxLink&) = delete;

  void set_on_end(std::function<void(const absl::Status&)> on_end) {
    *on_end_ = std::move(on_end);
  }

  // The way to the plugin's main server.
  const std::shared_ptr<Door>& main_door() const { return main_door_; }
  const std::shared_ptr<Multiplexer>& multiplexer() const {
    return multiplexer_;
  }

 private:
  // How long a connection that is refused is tried again: some plugins print
  // their line before they listen.
  static constexpr absl::Duration kPatience = absl::Seconds(5);

  MuxLink(EventLoop& loop, Target target)
      : loop_(loop), target_(std::move(target)), retry_(loop) {}

  void Connect();
  void OnConnected(int error);
  absl::Status NoConnection(int error) const;
  void FailLater(absl::Status why);

  EventLoop& loop_;
  Target target_;
  // Shared with the multiplexer, which may outlive this object.
  const std::shared_ptr<std::function<void(const absl::Status&)>> on_end_ =
      std::make_shared<std::function<void(const absl::Status&)>>();
  std::shared_ptr<Multiplexer> multiplexer_;
  std::shared_ptr<Door> main_door_;
  std::vector<SocketAddress> addresses_;
  size_t next_address_ = 0;
  UniqueFd connecting_;
  std::unique_ptr<DescriptorWatch> watch_;
  const Stopwatch stopwatch_;
  Timer retry_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CONNECT_MUX_LINK_H_

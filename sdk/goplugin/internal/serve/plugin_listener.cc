#include "goplugin/internal/serve/plugin_listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/serve/port_range.h"

namespace goplugin::internal {
namespace {

// A listening socket that does not block at `port` of 127.0.0.1, and in `taken`
// the port it got where that is 0. Invalid when it can't be had.
UniqueFd ListenAtPort(int port, int queue, int* taken) {
  UniqueFd listener = BindPort(port);
  const int on = 1;
  // Connections inherit it: frames go out as they come.
  setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address = {};
  socklen_t size = sizeof address;
  const bool listens =
      fcntl(listener.get(), F_SETFL, O_NONBLOCK) == 0 &&
      listen(listener.get(), queue) == 0 &&
      getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address),
                  &size) == 0;
  if (!listens) return UniqueFd();
  *taken = ntohs(address.sin_port);
  return listener;
}

absl::Status NowhereToListen(const std::vector<absl::Status>& errors) {
  if (errors.size() == 1) return errors.front();
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = "there is nowhere to listen";
  for (const absl::Status& error : errors) {
    details.evidence.emplace_back(error.message());
  }
  details.hint = "make one of the networks possible";
  return MakeError(details);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PluginListener>> PluginListener::Listen(
    const ListenPlan& plan) {
  auto listener = absl::WrapUnique(new PluginListener());
  std::vector<absl::Status> errors;
  for (Endpoint::Network network : plan.networks) {
    absl::Status status = listener->ListenOn(network, plan);
    if (status.ok()) return listener;
    errors.push_back(std::move(status));
  }
  return NowhereToListen(errors);
}

absl::Status PluginListener::ListenOn(Endpoint::Network network,
                                      const ListenPlan& plan) {
  return network == Endpoint::Network::kUnix ? ListenUnix(plan)
                                             : ListenTcp(plan);
}

absl::Status PluginListener::ListenUnix(const ListenPlan& plan) {
  absl::StatusOr<std::unique_ptr<PluginSocket>> socket =
      PluginSocket::Listen(*plan.directories, plan.queue);
  if (!socket.ok()) return socket.status();
  socket_ = *std::move(socket);
  endpoint_ = {Endpoint::Network::kUnix, socket_->path()};
  listener_ = socket_->TakeListener();
  return absl::OkStatus();
}

absl::Status PluginListener::ListenTcp(const ListenPlan& plan) {
  absl::StatusOr<int> port =
      WalkPorts(plan.min_port, plan.max_port, [&](int candidate) {
        int taken = 0;
        listener_ = ListenAtPort(candidate, plan.queue, &taken);
        return taken;
      });
  if (!port.ok()) return port.status();
  endpoint_ = {Endpoint::Network::kTcp, absl::StrCat("127.0.0.1:", *port)};
  return absl::OkStatus();
}

void PluginListener::Remove() {
  if (socket_ != nullptr) socket_->Remove();
}

}  // namespace goplugin::internal

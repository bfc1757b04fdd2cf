#include "goplugin/internal/connect/mux_link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kRetryDelay = absl::Milliseconds(20);

int PendingError(int socket) {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error
                                                                      : errno;
}

bool NobodyListens(int error) {
  return error == ECONNREFUSED || error == ENOENT || error == EAGAIN;
}

// Frames go out as they come.
void SendAtOnce(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

absl::StatusOr<std::unique_ptr<MuxLink>> MuxLink::Open(EventLoop& loop,
                                                       Target target,
                                                       Callbacks callbacks) {
  absl::StatusOr<std::vector<SocketAddress>> addresses =
      SocketAddresses(target.way->endpoint());
  if (!addresses.ok()) return addresses.status();
  auto link = absl::WrapUnique(new MuxLink(loop, std::move(target)));
  link->addresses_ = *std::move(addresses);
  link->set_on_end(std::move(callbacks.on_end));
  Multiplexer::Options options;
  options.role = YamuxRole::kClient;
  options.peer = "plugin";
  options.place = std::move(link->target_.place);
  options.make_door = link->target_.make_door;
  options.warn = std::move(callbacks.warn);
  options.on_end = [on_end = link->on_end_](const absl::Status& status) {
    // It may replace itself.
    if (const auto tell = *on_end) tell(status);
  };
  link->multiplexer_ = Multiplexer::Create(loop, std::move(options));
  absl::StatusOr<std::shared_ptr<Door>> door =
      link->multiplexer_->OpenMainDoor(std::move(link->target_.main_door));
  if (!door.ok()) return door.status();
  link->main_door_ = *std::move(door);
  link->Connect();
  return link;
}

MuxLink::~MuxLink() {
  *on_end_ = nullptr;
  if (multiplexer_ == nullptr) return;
  multiplexer_->End(MakeError(Reason::kShutDown,
                              "the multiplexed connection was closed",
                              "its client has ended"));
}

void MuxLink::Connect() {
  const SocketAddress& address = addresses_[next_address_];
  connecting_.reset(socket(address.get()->sa_family,
                           SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!connecting_.valid()) return OnConnected(errno);
  if (connect(connecting_.get(), address.get(), address.length) == 0) {
    return OnConnected(0);
  }
  if (errno != EINPROGRESS) return OnConnected(errno);
  watch_ = std::make_unique<DescriptorWatch>(
      loop_, connecting_.get(),
      DescriptorWatch::Callbacks{
          nullptr, [this] { OnConnected(PendingError(connecting_.get())); }});
  watch_->WaitWritable();
}

void MuxLink::OnConnected(int error) {
  watch_.reset();
  if (error == 0) {
    const absl::Status peer =
        CheckPeer(connecting_.get(), target_.endpoint, target_.peers);
    if (!peer.ok()) return FailLater(peer);
    if (target_.endpoint.network == Endpoint::Network::kTcp) {
      SendAtOnce(connecting_.get());
    }
    return multiplexer_->Start(std::move(connecting_));
  }
  connecting_.reset();
  next_address_ = (next_address_ + 1) % addresses_.size();
  if (NobodyListens(error) && stopwatch_.Elapsed() < kPatience) {
    return retry_.Start(kRetryDelay, [this] { Connect(); });
  }
  FailLater(NoConnection(error));
}

void MuxLink::FailLater(absl::Status why) {
  connecting_.reset();
  retry_.Start(absl::ZeroDuration(), [this, why = std::move(why)] {
    if (const auto tell = *on_end_) tell(why);
  });
}

absl::Status MuxLink::NoConnection(int error) const {
  ErrorDetails details;
  details.reason = Reason::kConnect;
  details.what = absl::StrCat("no connection to the plugin at ",
                              target_.endpoint.ToString());
  details.evidence = {
      strerror(error),
      absl::StrCat("tried for ", InMilliseconds(stopwatch_.Elapsed()))};
  details.hint =
      NobodyListens(error)
          ? "nobody serves where the plugin's handshake line points: it must "
            "listen before it prints the line, and go on listening"
          : "see that this host may open one more socket (ulimit -n), and that "
            "its user may use the plugin's";
  return MakeError(details);
}

}  // namespace goplugin::internal

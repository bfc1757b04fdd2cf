#include "goplugin/internal/net/reach.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/net/open_connection.h"
#include "goplugin/internal/net/peer.h"
#include "goplugin/internal/net/socket_address.h"

namespace goplugin::internal {
namespace {

absl::Status Refuse(const Endpoint& endpoint, std::string evidence,
                    std::string hint) {
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = absl::StrCat("the plugin's address ",
                              Quote(endpoint.ToString()), " is not used");
  details.evidence = {std::move(evidence)};
  details.hint = std::move(hint);
  return MakeError(details);
}

bool IsLoopback(const in_addr& address) {
  const uint32_t number = ntohl(address.s_addr);
  // The unspecified address leads to this machine as well.
  return number >> 24 == 127 || number == INADDR_ANY;
}

bool IsLoopback(const in6_addr& address) {
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    in_addr mapped;
    std::memcpy(&mapped, &address.s6_addr[12], sizeof mapped);
    return IsLoopback(mapped);
  }
  return IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_UNSPECIFIED(&address);
}

// Of names only "localhost" is: others are what a name server says.
bool IsLoopbackHost(absl::string_view host) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const std::string text(host);
  in_addr four;
  if (inet_pton(AF_INET, text.c_str(), &four) == 1) return IsLoopback(four);
  in6_addr six;
  if (inet_pton(AF_INET6, text.c_str(), &six) == 1) return IsLoopback(six);
  return text == "localhost";
}

absl::Status CheckTcp(const Endpoint& endpoint, const PeerRule& rule) {
  const absl::string_view address = endpoint.address;
  if (!rule.loopback_only ||
      IsLoopbackHost(address.substr(0, address.rfind(':')))) {
    return absl::OkStatus();
  }
  return Refuse(endpoint, "it is not a loopback address of this machine",
                "let the plugin listen on 127.0.0.1 or [::1], or set "
                "ClientOptions::allow_remote_tcp if it is meant to serve from "
                "elsewhere");
}

std::string User(uid_t uid) { return absl::StrCat("user ", uid); }

absl::StatusOr<UniqueFd> OpenSocketFile(const Endpoint& endpoint) {
  UniqueFd place(open(endpoint.address.c_str(), O_PATH | O_CLOEXEC));
  if (!place.valid()) return ConnectError(endpoint, errno);
  struct stat file = {};
  if (fstat(place.get(), &file) == 0 && S_ISSOCK(file.st_mode)) return place;
  return Refuse(endpoint, "no socket is there, but another file",
                "the plugin must announce the path of the socket it listens "
                "on, not its directory or another file");
}

// Only a user makes a socket's file that is his, and nobody else gives him one,
// but root: no connection needs to be made to see who it is. Some servers would
// take its end for that of their last one.
bool IsOf(uid_t user, const UniqueFd& place) {
  struct stat file = {};
  return fstat(place.get(), &file) == 0 && file.st_uid == user;
}

// Errors speak of `endpoint`, as the plugin calls it.
absl::Status Ask(const Endpoint& pinned, const Endpoint& endpoint,
                 const PeerRule& rule) {
  const auto addresses = SocketAddresses(pinned);
  if (!addresses.ok()) return addresses.status();
  const SocketAddress& address = addresses->front();
  UniqueFd connection(
      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // A unix socket connects at once or not at all.
  if (connection.valid() &&
      connect(connection.get(), address.get(), address.length) == 0) {
    return CheckPeer(connection.get(), endpoint, rule);
  }
  if (errno != ENOENT) return ConnectError(endpoint, errno);
  return Refuse(endpoint, "it can't be reached by way of /proc/self/fd",
                "mount /proc where this host runs");
}

}  // namespace

bool IsAbstract(const Endpoint& endpoint) {
  return endpoint.network == Endpoint::Network::kUnix &&
         !endpoint.address.empty() && endpoint.address.front() == '\0';
}

absl::Status CheckNamed(const Endpoint& endpoint, const PeerRule& rule) {
  if (endpoint.network == Endpoint::Network::kTcp) {
    return CheckTcp(endpoint, rule);
  }
  if (!rule.user.has_value() || endpoint.address.empty() ||
      endpoint.address.front() == '/' || IsAbstract(endpoint)) {
    return absl::OkStatus();
  }
  return Refuse(endpoint,
                "its path is relative to the plugin's working directory, which "
                "is not this host's",
                "the plugin must print an absolute path: give it an absolute "
                "TMPDIR");
}

absl::Status CheckPeer(int connection, const Endpoint& endpoint,
                       const PeerRule& rule) {
  if (endpoint.network != Endpoint::Network::kUnix || !rule.user.has_value()) {
    return absl::OkStatus();
  }
  const absl::optional<Peer> peer = PeerOf(connection);
  if (!peer.has_value()) {
    return Refuse(endpoint,
                  absl::StrCat("the kernel does not tell who listens there: ",
                               std::strerror(errno)),
                  "plugins must serve on a unix stream socket, or on tcp");
  }
  const bool own = rule.process > 0 && peer->pid == rule.process;
  if (own || peer->uid == *rule.user) return absl::OkStatus();
  return Refuse(
      endpoint,
      absl::StrCat("a process of ", User(peer->uid),
                   " listens there, and the plugin runs as ", User(*rule.user)),
      "nothing was sent there: the plugin must listen itself. If it changes "
      "its "
      "user, let the host do that: Command::user");
}

absl::StatusOr<std::shared_ptr<const Way>> FindWay(const Endpoint& endpoint,
                                                   const PeerRule& rule,
                                                   Look look) {
  absl::Status status = CheckNamed(endpoint, rule);
  if (!status.ok()) return status;
  const bool is_asked = rule.user.has_value() && look == Look::kNow;
  if (endpoint.network != Endpoint::Network::kUnix ||
      (!rule.user.has_value() && look == Look::kNow)) {
    return std::make_shared<const Way>(endpoint, UniqueFd());
  }
  if (IsAbstract(endpoint)) {
    if (is_asked) status = Ask(endpoint, endpoint, rule);
    if (!status.ok()) return status;
    return std::make_shared<const Way>(endpoint, UniqueFd());
  }
  absl::StatusOr<UniqueFd> place = OpenSocketFile(endpoint);
  if (!place.ok()) return place.status();
  Endpoint pinned{Endpoint::Network::kUnix,
                  absl::StrCat("/proc/self/fd/", place->get())};
  if (is_asked && !IsOf(*rule.user, *place)) {
    status = Ask(pinned, endpoint, rule);
  }
  if (!status.ok()) return status;
  return std::make_shared<const Way>(std::move(pinned), *std::move(place));
}

bool MayStillCome(const absl::Status& error) {
  const absl::optional<ErrorDetails> details = GetErrorDetails(error);
  return details.has_value() && details->reason == Reason::kConnect;
}

}  // namespace goplugin::internal

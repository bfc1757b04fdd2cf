#include "goplugin/internal/process/held_process.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/net/listening_socket.h"
#include "goplugin/internal/net/peer.h"
#include "goplugin/internal/net/reach.h"
#include "goplugin/internal/net/socket_address.h"
#include "goplugin/internal/process/process_stat.h"
#include "goplugin/internal/process/unix_socket.h"

namespace goplugin::internal {
namespace {

// The process has not ended.
bool IsAlive(const UniqueFd& pidfd) {
  pollfd wait = {pidfd.get(), POLLIN, 0};
  return poll(&wait, 1, 0) == 0;
}

// What is known of the claimed process, for an error's evidence.
std::string Describe(const ServerClaim& claim) {
  const absl::optional<uint64_t> started = ProcessStartTime(claim.pid);
  if (claim.pid <= 0) return "the process is not known";
  if (!started.has_value()) {
    return absl::StrCat("there is no process ", claim.pid, " any more");
  }
  if (claim.start_time == 0) {
    return absl::StrCat("a process ", claim.pid, " runs");
  }
  if (*started == claim.start_time) {
    return absl::StrCat("the process ", claim.pid, " runs");
  }
  return absl::StrCat("process ", claim.pid, " is another by now: it started ",
                      *started, " ticks after boot, the plugin ",
                      claim.start_time);
}

absl::Status NotFound(std::string what, const ServerClaim& claim,
                      std::string fact, std::string hint) {
  ErrorDetails details;
  details.reason = Reason::kReattachNotFound;
  details.what = std::move(what);
  details.evidence = {absl::StrCat("at ", claim.endpoint.ToString()),
                      Describe(claim)};
  if (!fact.empty()) details.evidence.push_back(std::move(fact));
  details.hint = std::move(hint);
  return MakeError(details);
}

absl::Status Gone(const ServerClaim& claim, std::string fact) {
  return NotFound("the plugin to reattach to is gone", claim, std::move(fact),
                  "start it again, and use the new reattach config; the plugin "
                  "must run as long as somebody wants to reattach");
}

absl::Status SomebodyElse(const ServerClaim& claim, std::string fact) {
  return NotFound("somebody else is where the plugin to reattach to was", claim,
                  std::move(fact),
                  "the reattach config is out of date: the plugin has ended. "
                  "Nothing was sent to the process that is there now");
}

absl::Status CantAsk(const ServerClaim& claim, absl::string_view step,
                     int error_number) {
  ErrorDetails details;
  details.reason = Reason::kConnect;
  details.what = absl::StrCat("can't ask ", claim.endpoint.ToString(),
                              " who serves there");
  details.evidence = {absl::StrCat(step, ": ", std::strerror(error_number)),
                      Describe(claim)};
  switch (error_number) {
    case EACCES:
    case EPERM:
      details.hint =
          "this user may not use the plugin's socket: run as the plugin's "
          "user, or give its sockets a group (socket_group)";
      break;
    case EAGAIN:
      details.hint =
          "the plugin takes no connections: it is stopped, stuck or overloaded";
      break;
    default:
      details.hint = "the plugin must serve on a stream socket of this machine";
  }
  return MakeError(details);
}

absl::StatusOr<UniqueFd> ConnectUnix(const ServerClaim& claim) {
  const auto addresses =
      SocketAddresses({Endpoint::Network::kUnix,
                       claim.way.empty() ? claim.endpoint.address : claim.way});
  if (!addresses.ok()) return CantAsk(claim, "connect", ENAMETOOLONG);
  const SocketAddress& address = addresses->front();
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return CantAsk(claim, "socket", errno);
  if (connect(fd.get(), address.get(), address.length) == 0) return fd;
  if (errno == ECONNREFUSED || errno == ENOENT) {
    return Gone(claim, absl::StrCat("connect: ", std::strerror(errno)));
  }
  return CantAsk(claim, "connect", errno);
}

ServerProof Doubt(std::string why) {
  ServerProof proof;
  proof.doubt = std::move(why);
  return proof;
}

// Holds the claim's start time against the process that was opened.
absl::StatusOr<ServerProof> Confirm(const ServerClaim& claim, pid_t pid,
                                    UniqueFd pidfd) {
  const absl::optional<uint64_t> started = ProcessStartTime(pid);
  if (!IsAlive(pidfd)) return Gone(claim, "");
  if (!started.has_value()) return Doubt("/proc does not tell of its process");
  if (claim.start_time != 0 && *started != claim.start_time) {
    return SomebodyElse(claim, "");
  }
  ServerProof proof;
  proof.process = HeldProcess{pid, std::move(pidfd), *started};
  return proof;
}

absl::StatusOr<ServerProof> ProveUnix(const ServerClaim& claim) {
  struct stat file;
  if (!IsAbstract(claim.endpoint) &&
      stat(claim.endpoint.address.c_str(), &file) != 0 &&
      (errno == ENOENT || errno == ENOTDIR)) {
    return Gone(claim, absl::StrCat("its socket: ", std::strerror(errno)));
  }
  absl::Status is_socket = CheckUnixSocket(claim.endpoint.address);
  if (!is_socket.ok()) return is_socket;
  absl::StatusOr<UniqueFd> connection = ConnectUnix(claim);
  if (!connection.ok()) return connection.status();
  const absl::optional<Peer> peer = PeerOf(connection->get());
  if (!peer.has_value()) return CantAsk(claim, "SO_PEERCRED", errno);
  if (peer->pid <= 0) {
    return Doubt(
        "the kernel does not tell who listens at the socket: the plugin runs "
        "in another pid namespace");
  }
  if (claim.pid > 0 && peer->pid != claim.pid) {
    return SomebodyElse(
        claim, absl::StrCat("process ", peer->pid, " listens at the socket"));
  }
  UniqueFd pidfd = OpenPeer(connection->get(), peer->pid);
  if (!pidfd.valid()) {
    if (!ProcessStartTime(peer->pid).has_value()) {
      return Gone(claim, "the process that made the socket has ended");
    }
    return Doubt("this system has no process descriptors (pidfd_open)");
  }
  return Confirm(claim, peer->pid, std::move(pidfd));
}

absl::StatusOr<ServerProof> ProveTcp(const ServerClaim& claim) {
  if (claim.pid <= 0) return Doubt("the config does not tell its process");
  UniqueFd pidfd = OpenProcess(claim.pid);
  if (!pidfd.valid()) {
    if (errno == ESRCH) return Gone(claim, "");
    return Doubt(
        absl::StrCat("its process can't be held: ", std::strerror(errno)));
  }
  // After it was opened: what is found is found of the one that is held, if
  // that still lives then.
  const Listens listens = ProcHasOurNumbers()
                              ? ListensAt(claim.pid, claim.endpoint)
                              : Listens::kUnknown;
  if (listens == Listens::kNo) {
    return SomebodyElse(claim, "another process listens at that port");
  }
  if (listens == Listens::kUnknown && claim.start_time == 0) {
    return Doubt(
        "the config does not tell when its process started, and who listens at "
        "the port can't be seen from here");
  }
  return Confirm(claim, claim.pid, std::move(pidfd));
}

}  // namespace

absl::optional<uint64_t> ProcessStartTime(pid_t pid) {
  const absl::optional<ProcessStat> stat = ReadProcessStat(pid);
  if (!stat.has_value() || stat->has_ended) return absl::nullopt;
  return stat->start_time;
}

absl::StatusOr<ServerProof> ProveServer(const ServerClaim& claim) {
  return claim.endpoint.network == Endpoint::Network::kUnix ? ProveUnix(claim)
                                                            : ProveTcp(claim);
}

}  // namespace goplugin::internal

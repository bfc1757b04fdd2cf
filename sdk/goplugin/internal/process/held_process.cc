#include "goplugin/internal/process/held_process.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/net/listening_socket.h"
#include "goplugin/internal/net/peer.h"
#include "goplugin/internal/process/unix_socket.h"

// Missing in the headers of most distributions.
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace goplugin::internal {
namespace {

std::string ReadStat(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

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
  const std::string& path =
      claim.way.empty() ? claim.endpoint.address : claim.way;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return CantAsk(claim, "connect", ENAMETOOLONG);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return CantAsk(claim, "socket", errno);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof address) == 0) {
    return fd;
  }
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
  if (!started.has_value() || !IsAlive(pidfd)) return Gone(claim, "");
  if (claim.start_time != 0 && *started != claim.start_time) {
    return SomebodyElse(claim, "");
  }
  ServerProof proof;
  proof.process = HeldProcess{pid, std::move(pidfd), *started};
  return proof;
}

absl::StatusOr<ServerProof> ProveUnix(const ServerClaim& claim) {
  struct stat file;
  if (stat(claim.endpoint.address.c_str(), &file) != 0 &&
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
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, claim.pid, 0)));
  if (!pidfd.valid()) {
    if (errno == ESRCH) return Gone(claim, "");
    return Doubt(
        absl::StrCat("its process can't be held: ", std::strerror(errno)));
  }
  // After it was opened: what is found is found of the one that is held, if
  // that still lives then.
  const Listens listens = ListensAt(claim.pid, claim.endpoint);
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
  const std::string stat = ReadStat(pid);
  // The program's name, in parentheses, may hold anything.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return absl::nullopt;
  const std::vector<absl::string_view> fields = absl::StrSplit(
      absl::string_view(stat).substr(name_end + 1), ' ', absl::SkipEmpty());
  // Numbered from the state, the third of them.
  constexpr size_t kState = 0;
  constexpr size_t kStartTime = 22 - 3;
  uint64_t ticks = 0;
  if (fields.size() <= kStartTime || fields[kState] == "Z" ||
      fields[kState] == "X" || !absl::SimpleAtoi(fields[kStartTime], &ticks)) {
    return absl::nullopt;
  }
  return ticks;
}

absl::StatusOr<ServerProof> ProveServer(const ServerClaim& claim) {
  return claim.endpoint.network == Endpoint::Network::kUnix ? ProveUnix(claim)
                                                            : ProveTcp(claim);
}

}  // namespace goplugin::internal

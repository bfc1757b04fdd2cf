#include "goplugin/internal/tls/probe.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/net/open_connection.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/tls/handshake.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kLongest = absl::Seconds(10);
// Enough to tell every kind.
constexpr size_t kEnough = 9;

// What a server may say in the handshake: its certificates, mostly.
constexpr size_t kMostBytes = size_t{1} << 20;

// The next bytes of the server; "" for the end, nullopt when there were none
// until `deadline`.
absl::optional<std::string> Receive(int fd, SteadyTime deadline) {
  while (WaitForEvents(fd, POLLIN, deadline)) {
    char buffer[4096];
    const ssize_t count = recv(fd, buffer, sizeof(buffer), 0);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    return std::string(buffer,
                       static_cast<size_t>(std::max<ssize_t>(count, 0)));
  }
  return absl::nullopt;
}

// A server that has hung up already may still have said something; one that
// takes nothing in is silent.
void Send(int fd, const std::string& bytes) {
  if (bytes.empty()) return;
  (void)send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// With what has come so far.
HandshakeResult GoOn(TlsHandshake& handshake, int fd, std::string bytes,
                     SteadyTime deadline) {
  size_t taken = 0;
  while (taken < kMostBytes) {
    taken += bytes.size();
    handshake.Feed(bytes);
    Send(fd, handshake.TakeOutput());
    if (handshake.result() != HandshakeResult::kUnfinished) break;
    absl::optional<std::string> more = Receive(fd, deadline);
    if (!more.has_value()) break;
    if (more->empty()) {
      handshake.End();
      break;
    }
    bytes = *std::move(more);
  }
  return handshake.result();
}

WireKind Answer(int fd, const TlsClient& client, SteadyTime deadline) {
  TlsHandshake handshake(client);
  Send(fd, handshake.TakeOutput());
  std::string bytes;
  while (bytes.size() < kEnough) {
    const absl::optional<std::string> more = Receive(fd, deadline);
    if (!more.has_value() && bytes.empty()) {
      return WireKind{WireKind::Kind::kSilent};
    }
    if (!more.has_value() || more->empty()) break;
    bytes.append(*more);
    if (ClassifyFirstBytes(bytes).kind != WireKind::Kind::kUnknown) break;
  }
  WireKind kind = ClassifyFirstBytes(bytes);
  if (kind.kind == WireKind::Kind::kTls &&
      !client.tls.root_certificates.empty()) {
    kind.handshake = GoOn(handshake, fd, std::move(bytes), deadline);
  }
  return kind;
}

}  // namespace

absl::StatusOr<WireKind> ProbeEndpoint(const Endpoint& endpoint,
                                       absl::Duration timeout,
                                       const TlsClient& client) {
  const auto bounded =
      std::min(std::max(timeout, absl::ZeroDuration()), kLongest);
  const SteadyTime deadline =
      std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(bounded);
  const absl::StatusOr<UniqueFd> connection =
      OpenConnection(endpoint, deadline);
  if (!connection.ok()) return connection.status();
  return Answer(connection->get(), client, deadline);
}

}  // namespace goplugin::internal

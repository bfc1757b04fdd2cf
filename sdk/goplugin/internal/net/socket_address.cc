#include "goplugin/internal/net/socket_address.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/endpoint.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

absl::Status Refuse(const Endpoint& endpoint, std::string why) {
  ErrorDetails details;
  details.reason = Reason::kConnect;
  details.what =
      absl::StrCat("can't tell what speaks at ", Quote(endpoint.ToString()));
  details.evidence = {std::move(why)};
  details.hint =
      "the plugin should announce the path of a unix socket of at most 107 "
      "bytes, or an IP address with a port";
  return MakeError(details);
}

absl::StatusOr<std::vector<SocketAddress>> UnixAddress(
    const Endpoint& endpoint) {
  sockaddr_un address = {};
  const std::string& path = endpoint.address;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return Refuse(endpoint,
                  absl::StrCat("the path has ", path.size(), " bytes"));
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  SocketAddress result;
  std::memcpy(&result.storage, &address, sizeof(address));
  // A path ends in a zero; an abstract name begins with one, and ends here.
  const size_t size = path.front() == '\0' ? path.size() : path.size() + 1;
  result.length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  return std::vector<SocketAddress>{result};
}

// "[::1]" and "::1" are the same host.
absl::string_view WithoutBrackets(absl::string_view host) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    return host.substr(1, host.size() - 2);
  }
  return host;
}

absl::StatusOr<std::vector<SocketAddress>> TcpAddresses(
    const Endpoint& endpoint) {
  const absl::string_view text = endpoint.address;
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Refuse(endpoint, "no port");
  const std::string host(WithoutBrackets(text.substr(0, colon)));
  const std::string port(text.substr(colon + 1));
  addrinfo wanted = {};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  // No host, and "localhost": the loopback addresses, without a look-up.
  const bool loopback = host.empty() || host == "localhost";
  addrinfo* list = nullptr;
  const int error = getaddrinfo(loopback ? nullptr : host.c_str(), port.c_str(),
                                &wanted, &list);
  if (error != 0) return Refuse(endpoint, gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(list,
                                                                 freeaddrinfo);
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    SocketAddress address;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.length = entry->ai_addrlen;
    addresses.push_back(address);
  }
  return addresses;
}

}  // namespace

absl::StatusOr<std::vector<SocketAddress>> SocketAddresses(
    const Endpoint& endpoint) {
  return endpoint.network == Endpoint::Network::kUnix ? UnixAddress(endpoint)
                                                      : TcpAddresses(endpoint);
}

}  // namespace goplugin::internal

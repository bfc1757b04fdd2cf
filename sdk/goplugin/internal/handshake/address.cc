#include "goplugin/internal/handshake/address.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/handshake/versions.h"

namespace goplugin::internal {
namespace {

constexpr uint32_t kMaxPort = 65535;

absl::optional<AddressProblem> CheckUnixPath(absl::string_view path) {
  const bool is_abstract = path.front() == '\0';
  if (path.size() > kMaxUnixPathBytes) {
    return AddressProblem{
        absl::StrCat("its socket path has ", path.size(),
                     " bytes, and a socket address holds ", kMaxUnixPathBytes),
        "Let the plugin create its socket in a directory with a shorter "
        "path: see the socket directory option, or TMPDIR."};
  }
  if (path.size() == 1 && is_abstract) {
    return AddressProblem{"its abstract socket has no name",
                          "The plugin must print the name of its socket, with "
                          "an @ in front."};
  }
  if (absl::StrContains(path.substr(is_abstract ? 1 : 0),
                        absl::string_view("\0", 1))) {
    return AddressProblem{"its socket path holds a NUL byte",
                          "The plugin must print the path of its socket as it "
                          "is in the file system."};
  }
  return absl::nullopt;
}

bool IsHostCharacter(unsigned char c) {
  return absl::ascii_isalnum(c) || c >= 0x80 || c == '.' || c == '-' ||
         c == '_';
}

// Inside brackets: an IPv6 address, perhaps with a zone ("fe80::1%eth0").
bool IsIpv6Character(unsigned char c) {
  return IsHostCharacter(c) || c == ':' || c == '%';
}

bool IsHost(absl::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    const absl::string_view inner = host.substr(1, host.size() - 2);
    return absl::StrContains(inner, ":") &&
           std::all_of(inner.begin(), inner.end(), IsIpv6Character);
  }
  return !host.empty() &&
         std::all_of(host.begin(), host.end(), IsHostCharacter);
}

absl::optional<AddressProblem> CheckHostPort(absl::string_view address) {
  static constexpr absl::string_view kHint =
      "The plugin must print the host and port it listens on, such as "
      "127.0.0.1:10000 or [::1]:10000.";
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) {
    return AddressProblem{"its address has no port", std::string(kHint)};
  }
  if (!IsHost(address.substr(0, colon))) {
    return AddressProblem{"its address is not of the form host:port",
                          std::string(kHint)};
  }
  const auto port = ParseVersion(address.substr(colon + 1));
  if (!port || *port == 0 || *port > kMaxPort) {
    return AddressProblem{"the port of its address is not in 1..65535",
                          std::string(kHint)};
  }
  return absl::nullopt;
}

}  // namespace

absl::optional<AddressProblem> CheckAddress(const Endpoint& endpoint) {
  if (endpoint.address.empty()) {
    return AddressProblem{"its address is empty",
                          "The plugin must print the address it listens on."};
  }
  return endpoint.network == Endpoint::Network::kUnix
             ? CheckUnixPath(endpoint.address)
             : CheckHostPort(endpoint.address);
}

}  // namespace goplugin::internal

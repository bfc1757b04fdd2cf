#include "goplugin/internal/handshake/spelling.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace goplugin::internal {
namespace {

// As the kernel has it.
constexpr char kAbstractMark = '\0';
constexpr char kLocalhost[] = "localhost";

std::string UnixAddress(absl::string_view text) {
  while (absl::ConsumePrefix(&text, "http://unix:") ||
         absl::ConsumePrefix(&text, "unix://") ||
         absl::ConsumePrefix(&text, "unix:")) {
  }
  if (absl::ConsumePrefix(&text, "unix-abstract:") ||
      absl::ConsumePrefix(&text, "@")) {
    return absl::StrCat(absl::string_view(&kAbstractMark, 1), text);
  }
  return std::string(text);
}

// One scheme at the front of `*text`, if an address can follow it.
bool ConsumeScheme(absl::string_view* text) {
  for (const absl::string_view scheme :
       {"tcp://", "http://", "https://", "grpc://", "dns:///"}) {
    if (absl::ConsumePrefix(text, scheme)) return true;
  }
  for (const absl::string_view scheme : {"tcp:", "dns:", "ipv4:", "ipv6:"}) {
    absl::string_view rest = *text;
    // Else it is a host of that name.
    if (absl::ConsumePrefix(&rest, scheme) && absl::StrContains(rest, ':')) {
      *text = rest;
      return true;
    }
  }
  return false;
}

// "name/address:port", one of them perhaps missing.
std::string WithoutJavaName(absl::string_view text) {
  const size_t slash = text.find('/');
  if (slash == absl::string_view::npos) return std::string(text);
  absl::string_view address = text.substr(slash + 1);
  return absl::ConsumePrefix(&address, "<unresolved>")
             ? absl::StrCat(text.substr(0, slash), address)
             : std::string(address);
}

// nullopt-like: false when `host` is no IPv6 address, its zone aside.
bool ReadIpv6(absl::string_view host, in6_addr* address) {
  const std::string text(host.substr(0, host.find('%')));
  return inet_pton(AF_INET6, text.c_str(), address) == 1;
}

// What each resolver's own tables say of these, and RFC 6761 of the last.
bool MeansLoopback(absl::string_view host) {
  const std::string name = absl::AsciiStrToLower(absl::StripSuffix(host, "."));
  for (const absl::string_view known :
       {"", "*", "+", kLocalhost, "localhost4", "localhost6", "ip6-localhost",
        "ip6-loopback", "localhost.localdomain", "localhost4.localdomain4",
        "localhost6.localdomain6"}) {
    if (name == known) return true;
  }
  return absl::EndsWith(name, ".localhost");
}

std::string Host(absl::string_view host) {
  absl::string_view inner = host;
  if (inner.size() > 2 && inner.front() == '[' && inner.back() == ']') {
    inner = inner.substr(1, inner.size() - 2);
  }
  in6_addr address;
  if (!ReadIpv6(inner, &address)) {
    return MeansLoopback(host) ? kLocalhost : std::string(host);
  }
  // There is one such interface.
  if (IN6_IS_ADDR_LOOPBACK(&address)) inner = inner.substr(0, inner.find('%'));
  return absl::StrCat("[", inner, "]");
}

std::string TcpAddress(absl::string_view text) {
  while (ConsumeScheme(&text) || absl::ConsumeSuffix(&text, "/")) {
  }
  std::string plain = absl::StrReplaceAll(
      WithoutJavaName(text),
      {{"%5B", "["}, {"%5b", "["}, {"%5D", "]"}, {"%5d", "]"}, {"%25", "%"}});
  const size_t colon = plain.rfind(':');
  if (colon == std::string::npos) return plain;
  return absl::StrCat(Host(plain.substr(0, colon)), plain.substr(colon));
}

}  // namespace

Endpoint Canonical(Endpoint endpoint) {
  // Nothing here needs more than a few hundred bytes, and a line may be long.
  constexpr size_t kLongest = 1024;
  if (endpoint.address.empty() || endpoint.address.size() > kLongest) {
    return endpoint;
  }
  endpoint.address = endpoint.network == Endpoint::Network::kUnix
                         ? UnixAddress(endpoint.address)
                         : TcpAddress(endpoint.address);
  return endpoint;
}

std::string GoSpelling(const Endpoint& endpoint) {
  absl::string_view name = endpoint.address;
  return absl::ConsumePrefix(&name, absl::string_view(&kAbstractMark, 1))
             ? absl::StrCat("@", name)
             : endpoint.address;
}

}  // namespace goplugin::internal

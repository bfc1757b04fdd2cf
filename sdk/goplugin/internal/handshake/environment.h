#ifndef GOPLUGIN_INTERNAL_HANDSHAKE_ENVIRONMENT_H_
#define GOPLUGIN_INTERNAL_HANDSHAKE_ENVIRONMENT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/optional.h"
#include "absl/types/span.h"

namespace goplugin::internal {

// What the host tells the plugin by its environment. A plain value.
struct ProtocolVariables {
  // Not set in the plugin when the key is empty.
  std::string magic_cookie_key;
  std::string magic_cookie_value;
  // Sent in this order.
  std::vector<uint32_t> protocol_versions;
  // The range of TCP ports a plugin walks.
  int min_port = 10000;
  int max_port = 25000;
  // The host's one-time certificate; set for AutoMTLS only.
  absl::optional<std::string> client_certificate_pem;
  // Where the plugin is to create its sockets; "" leaves it to the plugin.
  std::string socket_directory;
  // Group name or gid that may write the sockets; "" for none.
  std::string socket_group;
  // Ask for one connection that carries the broker's too. When false the
  // variable must be absent: a Go plugin reads any value as a request.
  bool multiplex = false;
};

// The plugin's environment as "NAME=value" strings, each name once.
//
// `inherited` ("NAME=value" strings, the host's own) yields to `command`, which
// yields to the protocol's variables; the magic cookie comes last. Variables of
// the protocol that a host carries because it is a plugin itself are removed
// from `inherited`; everything else in it, `http_proxy` and other PLUGIN_*
// names included, is the plugin's business and stays. Of names given twice, the
// first inherited one counts (as getenv does), and the last of the command's.
// Inherited strings without a name or without '=' are dropped.
std::vector<std::string> BuildEnvironment(
    absl::Span<const std::string> inherited,
    absl::Span<const std::pair<std::string, std::string>> command,
    const ProtocolVariables& protocol);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_HANDSHAKE_ENVIRONMENT_H_

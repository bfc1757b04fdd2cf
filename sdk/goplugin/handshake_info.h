#ifndef GOPLUGIN_HANDSHAKE_INFO_H_
#define GOPLUGIN_HANDSHAKE_INFO_H_

#include <string>

#include "absl/types/optional.h"
#include "goplugin/language.h"

namespace goplugin {

// What a plugin's handshake line said, for tools that show it. A plain value.
// What a host needs of it is in methods of Client: protocol_version(),
// endpoint(), uses_tls().
struct HandshakeInfo {
  // The line without the white space around it. Printable ASCII from all known
  // plugins, but any bytes from a strange one. "" when this client did not read
  // one.
  std::string line = {};
  // The plugin's certificate in DER, "" when the line has none. With AutoMTLS
  // it was checked; without, nobody has looked at it.
  std::string certificate_der = {};
  // Whether the plugin can multiplex; nullopt when the line does not say.
  absl::optional<bool> multiplex = absl::nullopt;
};

}  // namespace goplugin

#endif  // GOPLUGIN_HANDSHAKE_INFO_H_

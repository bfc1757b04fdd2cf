#ifndef GOPLUGIN_ENDPOINT_H_
#define GOPLUGIN_ENDPOINT_H_

#include <string>

#include "goplugin/language.h"

namespace goplugin {

// Where a plugin serves, as its handshake line announced it. A plain value.
struct Endpoint {
  enum class Network { kUnix, kTcp };

  Network network = Network::kUnix;
  // kUnix: the socket's path, or a zero byte and the name of an abstract one;
  // at most 107 bytes. kTcp: "host:port", IPv6 hosts in brackets. In each use
  // other spellings are taken as well: "@name", "unix:///run/kv.sock",
  // "localhost/127.0.0.1:80".
  std::string address;

  // "unix:/run/kv/plugin.sock", "unix:@name", "tcp:127.0.0.1:10000". For
  // people; not a gRPC target.
  std::string ToString() const;

  friend bool operator==(const Endpoint& a, const Endpoint& b) {
    return a.network == b.network && a.address == b.address;
  }
  friend bool operator!=(const Endpoint& a, const Endpoint& b) {
    return !(a == b);
  }
};

// "unix" or "tcp", the word used on the wire.
const char* NetworkName(Endpoint::Network network);

}  // namespace goplugin

#endif  // GOPLUGIN_ENDPOINT_H_

#ifndef GOPLUGIN_INTERNAL_HANDSHAKE_SPELLING_H_
#define GOPLUGIN_INTERNAL_HANDSHAKE_SPELLING_H_

#include <string>

#include "goplugin/endpoint.h"

namespace goplugin::internal {

// `endpoint` in this library's own spelling, whatever language has printed it.
// What is in no known spelling stays as it is, and CheckAddress judges it.
// Pure: nothing is looked up. Spelling it twice changes nothing.
//
//   unix  "/run/kv.sock"         a path; also behind "unix:", "unix://" (gRPC)
//                                and "http://unix:" (Kestrel)
//         "\0name"               an abstract name; also "@name" (Go, Java,
//         .NET)
//                                and "unix-abstract:name" (gRPC)
//   tcp   "127.0.0.1:80"         also "localhost/127.0.0.1:80" and
//         "[::1]:80"             "/[0:0:0:0:0:0:0:1]:80" (Java), "::1:80"
//                                (Python, Node), "[::1%lo]:80", and all behind
//                                "tcp://", "http://", "ipv6:" ...
//         "localhost:80"         the loopback addresses, by each name that can
//                                mean nothing else, and "", "*" and "+" for a
//                                server at all addresses
//         "name:80"              any other name
Endpoint Canonical(Endpoint endpoint);

// The address as Go prints and reads it: abstract names begin with '@'.
std::string GoSpelling(const Endpoint& endpoint);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_HANDSHAKE_SPELLING_H_

#ifndef GOPLUGIN_INTERNAL_NET_LISTENING_SOCKET_H_
#define GOPLUGIN_INTERNAL_NET_LISTENING_SOCKET_H_

#include <sys/types.h>

#include "goplugin/endpoint.h"

namespace goplugin::internal {

enum class Listens {
  kYes,
  kNo,       // somebody else does
  kUnknown,  // nobody does in this network namespace, or /proc/PID/fd may not
             // be read
};

// Whether process `pid` has a socket open that listens at the tcp `endpoint`'s
// port, by /proc.
Listens ListensAt(pid_t pid, const Endpoint& endpoint);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_NET_LISTENING_SOCKET_H_

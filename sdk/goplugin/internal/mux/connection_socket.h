#ifndef GOPLUGIN_INTERNAL_MUX_CONNECTION_SOCKET_H_
#define GOPLUGIN_INTERNAL_MUX_CONNECTION_SOCKET_H_

#include <sys/types.h>

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// Read from a multiplexed connection at once.
constexpr size_t kReceiveSize = size_t{128} * 1024;
// Put into it from one stream before it is another's turn: little enough for a
// small call to pass between the pieces of a large one.
constexpr size_t kPieceSize = size_t{64} * 1024;
// With so much waiting for the connection, streams add nothing.
constexpr size_t kCongestion = size_t{128} * 1024;

// Two ends of one connection that do not block; invalid without descriptors.
struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};
SocketPair MakeSocketPair();

bool IsNotNow(int error);
// As recv and send, never waiting.
ssize_t ReceiveNow(int socket, char* bytes, size_t size);
ssize_t SendNow(int socket, absl::string_view bytes);

// Why it is over, `what` having failed.
absl::Status Broken(const char* what, int error);
// Why it is over when the other side has closed it, so long after its last
// ping. Pings are answered as they are read: one that was read just now, with
// the end behind it, had waited while this process stood still.
absl::Status ClosedAfterPing(absl::Duration since_ping);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_CONNECTION_SOCKET_H_

#ifndef GOPLUGIN_INTERNAL_NET_REACH_H_
#define GOPLUGIN_INTERNAL_NET_REACH_H_

#include <sys/types.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/process/unique_fd.h"

// Whom this process talks to. A plugin's line and its broker may name any
// socket, one of root's, too; the host must not send its calls there.

namespace goplugin::internal {

// Who has to be behind an address that the other side has named. A value; the
// default asks nothing: what the caller himself has named is his own choice.
struct PeerRule {
  // The listener of a unix socket must be this user's. nullopt: anybody's.
  absl::optional<uid_t> user = absl::nullopt;
  // Or it must be this process, whoever it is by now (set-uid programs); 0:
  // none. Only for plugins of the host's own user: a number of a process that
  // has ended may come to be another's.
  pid_t process = 0;
  // A tcp address must be one of this machine's loopback.
  bool loopback_only = false;

  bool asks_nothing() const { return !user.has_value() && !loopback_only; }
};

// A way to an endpoint. Of a socket that is looked at it leads nowhere else as
// long as this object lives, whatever is renamed or put in its place.
class Way {
 public:
  Way(Endpoint endpoint, UniqueFd place)
      : endpoint_(std::move(endpoint)), place_(std::move(place)) {}

  // What to connect to. Of such a socket it is its descriptor, in
  // /proc/self/fd: for this process only.
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  const Endpoint endpoint_;
  // An O_PATH descriptor of the socket's file.
  const UniqueFd place_;
};

// When the listener of a unix socket is looked at.
enum class Look {
  kNow,       // by the file's owner, or where that is not the user, by a
              // connection of its own that sends nothing
  kAtItsUse,  // by CheckPeer: some plugins take one connection only
};

// A socket that has a name, and no file.
bool IsAbstract(const Endpoint& endpoint);

// The way to `endpoint`, if it is as `rule` wants it. Links are followed, for
// it is the listener that counts. An abstract socket is asked, and can't be
// held: its name is free again when its listener has gone, as a tcp port is.
//
// Errors: kTransport when somebody else listens there, the path is relative (to
// the plugin's directory, not this process's), no socket is there, or the tcp
// address is not this machine's; kConnect when nobody listens (yet): see
// MayStillCome. Blocks as long as the file system does.
absl::StatusOr<std::shared_ptr<const Way>> FindWay(const Endpoint& endpoint,
                                                   const PeerRule& rule,
                                                   Look look = Look::kNow);

// Whether `error` of FindWay's says only that nobody listens there. Some
// plugins print their line before they listen.
bool MayStillCome(const absl::Status& error);

// The same question asked on a connection that stands, before a byte is sent.
// Of tcp nothing is known.
absl::Status CheckPeer(int connection, const Endpoint& endpoint,
                       const PeerRule& rule);

// What can be said of an address without connecting: kTransport for a relative
// path, and for tcp elsewhere.
absl::Status CheckNamed(const Endpoint& endpoint, const PeerRule& rule);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_NET_REACH_H_

#include "goplugin/internal/broker/broker_sockets.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/files/bound_socket.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

constexpr int kQueue = 128;

absl::Status NoPlace(const std::string& where, std::string evidence,
                     std::string hint) {
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = where.empty()
                     ? "there is no place for a brokered socket"
                     : absl::StrCat("no brokered socket at ", Quote(where));
  details.evidence = {std::move(evidence)};
  details.hint = std::move(hint);
  return MakeError(details);
}

}  // namespace

absl::StatusOr<std::unique_ptr<BrokerSocket>> BrokerSockets::Listen() {
  {
    MutexLock lock(mutex_);
    if (closed_) {
      return MakeError(Reason::kShutDown, "the broker has ended",
                       "accept connections while host and plugin run");
    }
  }
  if (plan_.directory == nullptr) {
    return NoPlace("", "this side has no directory for sockets",
                   "accept connections with a plugin that this host started");
  }
  absl::StatusOr<BrokerDirectory> place = plan_.directory();
  if (!place.ok()) return place.status();
  const std::string name = RandomName("");
  const std::string path = place->directory->PathOf(name);
  if (path.size() > kMaxSocketPath) {
    return NoPlace(path,
                   absl::StrCat("the path has ", path.size(), " bytes, ",
                                kMaxSocketPath, " are possible"),
                   "use a shorter socket directory or TMPDIR");
  }
  absl::StatusOr<UniqueFd> bound = BindSocket(
      *place->directory, name, place->socket_mode, /*group=*/absl::nullopt);
  if (!bound.ok()) return bound.status();
  const bool listens = listen(bound->get(), kQueue) == 0;
  const int error_number = errno;
  auto socket = std::make_unique<BrokerSocket>(std::move(place->directory),
                                               name, *std::move(bound));
  if (listens) return socket;
  return NoPlace(path, absl::StrCat("listen: ", std::strerror(error_number)),
                 "see that the process may make unix sockets");
}

void BrokerSockets::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
}

}  // namespace goplugin::internal

#include "goplugin/internal/connect/approach.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/endpoint/endpoint_kind.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/process/unix_socket.h"

namespace goplugin::internal {
namespace {

// A socket that is not there yet may come; anything else at its path never
// becomes one.
absl::Status CheckAnnounced(const Endpoint& endpoint) {
  if (endpoint.network != Endpoint::Network::kUnix) return absl::OkStatus();
  struct stat file;
  if (stat(endpoint.address.c_str(), &file) != 0 && errno == ENOENT) {
    return absl::OkStatus();
  }
  return CheckUnixSocket(endpoint.address);
}

}  // namespace

absl::StatusOr<PluginApproach> FindApproach(const ApproachRequest& request) {
  absl::Status status = CheckNamed(request.endpoint, request.peers);
  if (status.ok()) status = CheckAnnounced(request.endpoint);
  if (!status.ok()) return status;
  absl::StatusOr<std::shared_ptr<const Way>> way =
      FindWay(request.endpoint, request.peers,
              request.multiplexed ? Look::kAtItsUse : Look::kNow);
  if (!way.ok()) return way.status();
  PluginApproach approach;
  approach.way = *std::move(way);
  if (!request.multiplexed) return approach;
  approach.place = PlaceForStreams();
  if (approach.place != nullptr) return approach;
  absl::StatusOr<DoorSocket> door = request.make_door();
  if (!door.ok()) return door.status();
  approach.door = *std::move(door);
  return approach;
}

absl::Status NobodyThere(const Endpoint& endpoint, const absl::Status& last,
                         absl::Duration tried) {
  const ErrorDetails cause = GetErrorDetails(last).value_or(ErrorDetails());
  ErrorDetails details;
  details.reason = Reason::kConnect;
  details.what =
      absl::StrCat("no connection to the plugin at ", endpoint.ToString());
  details.evidence = cause.evidence;
  details.evidence.push_back(absl::StrCat("tried for ", InMilliseconds(tried)));
  details.hint =
      "nobody serves where the plugin's handshake line points: it must listen "
      "before it prints the line, and go on listening";
  return MakeError(details);
}

}  // namespace goplugin::internal

#include "goplugin/internal/broker/link_error.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {

absl::Status LinkError(const std::string& peer, const grpc::Status& status) {
  ErrorDetails details;
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    details.reason = Reason::kBrokerUnsupported;
    details.what = absl::StrCat("the ", peer, " has no broker");
    details.hint =
        "brokered connections need a go-plugin library with a broker on both "
        "sides; without one, pass data in ordinary calls";
  } else {
    details.reason = Reason::kConnect;
    details.what =
        absl::StrCat("the connection to the ", peer, "'s broker is broken");
    details.hint = absl::StrCat(
        "calls go on, but a go-plugin server serves its broker once: restart "
        "the ",
        peer,
        " for new brokered connections. Keepalive pings more often than a "
        "server allows, its MAX_CONNECTION_AGE and proxies cut connections");
  }
  details.evidence = {
      absl::StrCat("its stream ended: gRPC said ",
                   absl::StatusCodeToString(
                       static_cast<absl::StatusCode>(status.error_code())),
                   " ", Quote(status.error_message()))};
  return MakeError(details);
}

}  // namespace goplugin::internal

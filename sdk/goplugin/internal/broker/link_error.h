#ifndef GOPLUGIN_INTERNAL_BROKER_LINK_ERROR_H_
#define GOPLUGIN_INTERNAL_BROKER_LINK_ERROR_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace goplugin::internal {

// What the end of the broker's stream to `peer` ("plugin", "host") means for
// who dials and accepts: kBrokerUnsupported where the other side has no broker,
// else kConnect.
absl::Status LinkError(const std::string& peer, const grpc::Status& status);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_BROKER_LINK_ERROR_H_

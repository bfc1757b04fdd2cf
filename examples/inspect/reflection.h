#ifndef EXAMPLES_INSPECT_REFLECTION_H_
#define EXAMPLES_INSPECT_REFLECTION_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <memory>

#include "absl/time/time.h"
#include "examples/inspect/schema.h"

namespace inspect {

// Asks the plugin for all its services and the files that describe them, by
// gRPC's server reflection: v1, or v1alpha where there is no v1. A service that
// it names and can't describe is no error, nor is a stream that it does not end
// after the last answer.
//
// `timeout` is for the whole. UNIMPLEMENTED: the plugin has no reflection.
grpc::Status Reflect(const std::shared_ptr<grpc::Channel>& channel,
                     absl::Duration timeout, Description* description);

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_REFLECTION_H_

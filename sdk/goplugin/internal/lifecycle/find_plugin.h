#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_FIND_PLUGIN_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_FIND_PLUGIN_H_

#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "goplugin/client_options.h"
#include "goplugin/internal/lifecycle/join.h"
#include "goplugin/reattach.h"

namespace goplugin::internal {

// Checks config and options, and finds the plugin's process. Errors: kOptions,
// kAppVersion, kTransport, and those of ProveServer. Blocks for no noticeable
// time.
absl::StatusOr<FoundPlugin> FindReattached(const ReattachConfig& config,
                                           const ClientOptions& options);
MakeSource ReattachSource(ReattachConfig config);

// Checks the target, gRPC's `uri`, and options. `credentials` may be null: then
// the options' TLS counts. Errors: kOptions.
absl::StatusOr<FoundPlugin> FindAttached(
    const std::string& uri,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    const ClientOptions& options);
MakeSource AttachSource(std::string target,
                        std::shared_ptr<grpc::ChannelCredentials> credentials);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_FIND_PLUGIN_H_

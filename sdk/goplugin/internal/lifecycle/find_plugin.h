#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_FIND_PLUGIN_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_FIND_PLUGIN_H_

#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>

#include "goplugin/internal/lifecycle/plugin_source.h"
#include "goplugin/reattach.h"
#include "goplugin/runner.h"

namespace goplugin::internal {

// The search for a plugin that runs already. Its errors: kOptions, kAppVersion,
// kTransport, and those of ProveServer.
MakeSource ReattachSource(ReattachConfig config);

// The same for one that `runner` takes hold of; null is an error. Its errors:
// kReattachNotFound and kSpawn in place of ProveServer's.
MakeSource RunnerReattachSource(ReattachConfig config,
                                std::shared_ptr<Runner> runner);

// The same for what serves at a target of gRPC's. `credentials` may be null:
// then the options' TLS counts. Its errors: kOptions.
MakeSource AttachSource(std::string target,
                        std::shared_ptr<grpc::ChannelCredentials> credentials);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_FIND_PLUGIN_H_

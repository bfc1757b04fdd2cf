#ifndef GOPLUGIN_INTERNAL_START_FIND_PLUGIN_H_
#define GOPLUGIN_INTERNAL_START_FIND_PLUGIN_H_

#include <grpcpp/security/credentials.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/internal/files/plugin_files.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/net/reach.h"
#include "goplugin/internal/start/plugin_process.h"
#include "goplugin/reattach.h"
#include "goplugin/runner.h"

namespace goplugin::internal {

// A plugin that runs already, before anybody has connected to it.
struct FoundPlugin {
  // What errors call it; "" for its address.
  std::string name = {};
  // With what is known: the version and the endpoint.
  HandshakeResponse response = {};
  // Where that leads, if it was looked up; null for what the endpoint says.
  std::shared_ptr<const Way> way = nullptr;
  // It is known by a target of gRPC's alone, and the response has no endpoint.
  absl::optional<std::string> target = absl::nullopt;
  // With a target: they win over the options' TLS; may be null.
  std::shared_ptr<grpc::ChannelCredentials> credentials = nullptr;
  // What to do when nobody serves there; "" for the usual.
  std::string nobody_hint = {};
  // It serves without TLS, whatever the options say.
  bool insecure = false;
  // nullptr: what is not seen is not signalled.
  MakePluginProcess make_process = nullptr;
  // nullptr where the sockets are known by the endpoint alone; then the request
  // counts.
  std::shared_ptr<PluginFiles> files = nullptr;
  FilesRequest files_request = {};
  // The client's end is not the plugin's.
  bool belongs_to_others = false;
  bool can_be_reattached = false;
  bool in_this_process = false;
  std::string no_broker = {};
  // A warning for the log; "" for none.
  std::string note = {};
};

// The search for a plugin that runs already. Blocks: it asks the system, or a
// runner. `pool` outlives what is found.
using PluginSearch = std::function<absl::StatusOr<FoundPlugin>(
    const ClientOptions& options, Pool& pool)>;

// The searches remember the caller's environment and current directory as they
// are made. The errors of this one: kOptions, kAppVersion, kTransport, and
// those of ProveServer.
PluginSearch ReattachSearch(ReattachConfig config);

// The same for one that `runner` takes hold of; null is an error. Its errors:
// kReattachNotFound and kSpawn in place of ProveServer's.
PluginSearch RunnerReattachSearch(ReattachConfig config,
                                  std::shared_ptr<Runner> runner);

// The same for what serves at a target of gRPC's. `credentials` may be null:
// then the options' TLS counts. Its errors: kOptions.
PluginSearch AttachSearch(
    std::string target, std::shared_ptr<grpc::ChannelCredentials> credentials);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_FIND_PLUGIN_H_

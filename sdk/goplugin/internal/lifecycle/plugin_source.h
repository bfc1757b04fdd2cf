#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_PLUGIN_SOURCE_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_PLUGIN_SOURCE_H_

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/client_options.h"
#include "goplugin/internal/broker/address_translation.h"
#include "goplugin/internal/broker/broker_core.h"
#include "goplugin/internal/connect/mux_link.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/net/peer.h"
#include "goplugin/internal/net/reach.h"
#include "goplugin/internal/start/plugin_files.h"
#include "goplugin/internal/start/plugin_output.h"
#include "goplugin/internal/start/plugin_process.h"

namespace goplugin::internal {

// A plugin that is ready: what a source hands over to the session.
struct ReadyPlugin {
  // What errors call it: the program's path, or the target.
  std::string name;
  // Never null once it is handed over.
  std::unique_ptr<PluginProcess> process;
  // nullptr where the plugin's files are not the client's to remove.
  std::shared_ptr<PluginFiles> files;
  // nullptr where it is not multiplexed.
  std::unique_ptr<MuxLink> mux;
  HandshakeResponse response;
  std::shared_ptr<grpc::Channel> channel;
  bool uses_tls = false;
  // How brokered connections are secured: as this one is.
  BrokerSecurity broker_security;
  // Of brokered addresses; the response's endpoint is this host's.
  AddressTranslation translation;
  // Who has to be behind the addresses that it names.
  PeerRule peers;
  // Who may connect to this host's sockets for it.
  GuestList guests;
  // All but `ready`, which the session measures.
  LaunchTimings timings;
  // What its health service said as it was connected to.
  bool is_serving = true;
  // The client's end is not the plugin's: only the channel is dropped.
  bool belongs_to_others = false;
  // A test's: there is nobody to reattach to.
  bool in_this_process = false;
  // Client::Detach may leave it running.
  bool may_outlive = false;
  // Somebody without the keys of this session can connect too: a reattach
  // config makes sense.
  bool can_be_reattached = false;
  // Why a broker on this channel can't work; "" when it can. A go-plugin server
  // has one broker stream in its life.
  std::string no_broker;
};

// A way to a ready plugin: a launch, or the search for one that runs already.
// Lives on the loop's thread, in a shared_ptr.
class PluginSource {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<ReadyPlugin>) &&>;

  virtual ~PluginSource() = default;

  // `done` is called once, never from inside Start; with an error only when
  // nothing of what was started is left.
  virtual void Start(Done done) = 0;
  // Ends in kCancelled, unless it has ended.
  virtual void Cancel() = 0;
};

// What a session lends its source. The runtime outlives it.
struct SourceContext {
  Runtime& runtime;
  const ClientOptions& options;
  std::shared_ptr<PluginOutput> output;
  // Tells the user of a phase and when it was reached. All but kReady, which
  // the session reports.
  std::function<void(LaunchPhase, absl::Duration)> report;
  // Runs since the caller's call.
  Stopwatch stopwatch;
};

using MakeSource =
    std::function<std::shared_ptr<PluginSource>(const SourceContext&)>;

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_PLUGIN_SOURCE_H_

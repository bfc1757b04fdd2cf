#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_PLUGIN_SOURCE_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_PLUGIN_SOURCE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/client_options.h"
#include "goplugin/internal/broker/address_translation.h"
#include "goplugin/internal/broker/broker_core.h"
#include "goplugin/internal/connect/connector.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/lifecycle/plugin_keeper.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/net/peer.h"
#include "goplugin/internal/net/reach.h"
#include "goplugin/internal/rpc/early_calls.h"
#include "goplugin/internal/start/plugin_output.h"

namespace goplugin::internal {

// A plugin that is ready: what a source tells the session of it. What it has of
// it is in the session's keeper: a process always.
struct ReadyPlugin {
  // What errors call it: the program's path, or the target.
  std::string name;
  HandshakeResponse response;
  bool uses_tls = false;
  bool multiplexed = false;
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
  // Those of its channel, until its streams are opened.
  std::shared_ptr<EarlyCalls> early_calls;
  // Why a broker on this channel can't work; "" when it can. A go-plugin server
  // has one broker stream in its life.
  std::string no_broker;
  // What the caller need not wait for, nor his first call; on the loop. Null:
  // nothing.
  std::function<void()> settled;
};

// A way to a ready plugin: a launch, or the search for one that runs already.
// Made on the caller's thread, of which it takes what it needs; from then on it
// lives on the loop's, in a shared_ptr.
class PluginSource {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<ReadyPlugin>) &&>;

  virtual ~PluginSource() = default;

  // `done` is called once, never from inside Start; with an error only when the
  // keeper's end is there.
  virtual void Start(Done done) = 0;
  // Ends in kCancelled, unless it has ended.
  virtual void Cancel() = 0;
  // What is known of the plugin so far; of one that failed, its name (as far as
  // that is known) and what it had reached.
  virtual const ReadyPlugin& plugin() const = 0;
};

// What a session lends its source. The runtime outlives it.
struct SourceContext {
  Runtime& runtime;
  const ClientOptions& options;
  // The client's lane for slow work.
  std::shared_ptr<Lane> steps;
  // Where the client's own calls are made that its interceptors see.
  std::function<CallPlace()> control;
  // Whose what the source brings is. The source hears of its events until it is
  // done.
  std::shared_ptr<PluginKeeper> keeper;
  std::shared_ptr<PluginOutput> output;
  // Tells the user of a phase and when it was reached. All but kReady, which
  // the session reports.
  std::function<void(LaunchPhase, absl::Duration)> report;
  // Runs since the caller's call.
  Stopwatch stopwatch;
};

// When a source gives up although what it waits for bounds itself.
constexpr absl::Duration kBackstop = absl::Milliseconds(500);

inline Connector::Threads ThreadsFor(const SourceContext& context) {
  return {context.runtime.loop(), context.control(), context.steps,
          [keeper = context.keeper] { return keeper->BeginWork(); }};
}

using MakeSource =
    std::function<std::shared_ptr<PluginSource>(const SourceContext&)>;

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_PLUGIN_SOURCE_H_

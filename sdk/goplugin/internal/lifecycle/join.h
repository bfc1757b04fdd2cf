#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_JOIN_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_JOIN_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/client_options.h"
#include "goplugin/internal/connect/connector.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/lifecycle/plugin_source.h"

namespace goplugin::internal {

// A plugin that runs already, before anybody has connected to it. What Join's
// search comes back with.
struct FoundPlugin {
  ConnectTarget target;
  HandshakeResponse response;
  // nullptr: what is not seen is not signalled.
  MakePluginProcess make_process;
  // nullptr where the sockets are known by the endpoint alone.
  std::shared_ptr<PluginFiles> files;
  // The client's end is not the plugin's.
  bool belongs_to_others = false;
  bool can_be_reattached = false;
  bool in_this_process = false;
  std::string no_broker;
  // A warning for the log; "" for none.
  std::string note;
};

// The way to a plugin that runs already:
//   search -> channel -> connected
// Nothing is started, so nothing has to be taken back. Lives on the loop's
// thread, in a shared_ptr.
class Join final : public PluginSource,
                   public std::enable_shared_from_this<Join> {
 public:
  using Search = std::function<absl::StatusOr<FoundPlugin>()>;

  // `search` may block for a moment: it runs on the spawner's thread.
  Join(const SourceContext& context, Search search);

  void Start(Done done) override;
  void Cancel() override;

 private:
  void OnFound(absl::StatusOr<FoundPlugin> found);
  void OnConnected(const absl::Status& status, Connector::Serving serving);
  void OnExit();
  void Fail(const absl::Status& status);
  void ConcludeLater();
  void ConcludeFailure();

  Runtime& runtime_;
  const ClientOptions options_;
  const std::shared_ptr<PluginOutput> output_;
  const std::function<void(LaunchPhase, absl::Duration)> report_;
  const Stopwatch stopwatch_;
  const Search search_;
  Done done_;
  std::shared_ptr<Connector> connector_;
  ReadyPlugin plugin_;
  bool searching_ = false;
  bool over_ = false;
  absl::Status failure_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_JOIN_H_

#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_JOIN_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_JOIN_H_

#include <atomic>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/connect/connector.h"
#include "goplugin/internal/lifecycle/plugin_source.h"
#include "goplugin/internal/start/find_plugin.h"

namespace goplugin::internal {

// The way to a plugin that runs already:
//
//   kSearching -> kConnecting -> kOver
//
// Nothing is started, so all that has to be taken back is the connection. Made
// on the caller's thread; lives on the loop's, in a shared_ptr.
class Join final : public PluginSource,
                   public std::enable_shared_from_this<Join> {
 public:
  Join(const SourceContext& context, PluginSearch search);

  void Start(Done done) override;
  void Cancel() override;
  const ReadyPlugin& plugin() const override { return plugin_; }

 private:
  enum class State { kSearching, kConnecting, kEnding, kOver };

  // What the search brought, and the channel to it.
  struct Found {
    FoundPlugin plugin;
    ConnectTarget target;
  };

  static absl::StatusOr<Found> Search(const PluginSearch& search,
                                      const ClientOptions& options,
                                      Runtime& runtime);
  void OnFound(absl::StatusOr<Found> found);
  void KeepProcess(MakePluginProcess make_process);
  void OnConnected(const absl::Status& status, Connector::Serving serving);
  void AdoptFiles();
  void HandOver();
  void OnExit();
  void OnDeadline();
  void Fail(const absl::Status& status);
  void OnEnded();

  const SourceContext context_;
  const PluginSearch search_;
  // Whether a thread has taken the search up.
  const std::shared_ptr<std::atomic<bool>> begun_ =
      std::make_shared<std::atomic<bool>>(false);
  Done done_;
  State state_ = State::kSearching;
  Timer deadline_;
  std::shared_ptr<Connector> connector_;
  ReadyPlugin plugin_;
  FilesRequest files_request_;
  absl::Status failure_;
};

// The source of a plugin that `search` finds.
MakeSource JoinSource(PluginSearch search);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_JOIN_H_

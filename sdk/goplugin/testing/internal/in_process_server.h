#ifndef GOPLUGIN_TESTING_INTERNAL_IN_PROCESS_SERVER_H_
#define GOPLUGIN_TESTING_INTERNAL_IN_PROCESS_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/broker.h"
#include "goplugin/endpoint.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/broker/broker_core.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/serve/accept_threads.h"
#include "goplugin/internal/serve/broker_service.h"
#include "goplugin/internal/serve/controller_service.h"
#include "goplugin/internal/serve/health_service.h"
#include "goplugin/internal/serve/plugin_directories.h"
#include "goplugin/internal/serve/plugin_listener.h"
#include "goplugin/internal/serve/plugin_server.h"
#include "goplugin/internal/serve/stdio_service.h"
#include "goplugin/testing/in_process_plugin.h"

namespace goplugin::testing {

// What stands in for the plugin's process: its server, and a thread that ends
// it. Internal to this folder.
//
// Thread safety: all methods may be called from any thread.
class InProcessServer : public std::enable_shared_from_this<InProcessServer> {
 public:
  // What a host sees of a process. Called under a lock: they must not block,
  // nor call back.
  struct Watcher {
    absl::AnyInvocable<void(std::string)> on_stderr;
    // Once, and nothing after it.
    absl::AnyInvocable<void(ExitStatus)> on_exit;
  };

  explicit InProcessServer(InProcessPluginOptions options);
  // After EndAndWait.
  ~InProcessServer() = default;
  InProcessServer(const InProcessServer&) = delete;
  InProcessServer& operator=(const InProcessServer&) = delete;

  const InProcessPluginOptions& options() const { return options_; }

  // True for the first who asks.
  bool Claim() ABSL_LOCKS_EXCLUDED(mutex_);
  // Serves in `directory`. kTransport or kResources when that can't be;
  // kShutDown after EndAndWait.
  absl::Status Start(const std::string& directory) ABSL_LOCKS_EXCLUDED(mutex_);
  // After Start.
  const Endpoint& endpoint() const { return endpoint_; }

  // Who is told from now on; nullopt for nobody. One who comes after the end is
  // told of it at once.
  void Watch(absl::optional<Watcher> watcher) ABSL_LOCKS_EXCLUDED(mutex_);

  void WriteStderr(absl::string_view text) ABSL_LOCKS_EXCLUDED(mutex_);
  void WriteStdout(absl::string_view text) { stdio_.Append(text); }

  // Asks for the end, after `grace` for the calls under way. The first one
  // after Start counts.
  void End(ExitStatus status, absl::Duration grace) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until no call gets here any more, after End.
  void WaitForEnd() ABSL_LOCKS_EXCLUDED(mutex_);
  // The end of the owner: returns when nothing refers to the services any more.
  // Waits for a Start under way; a later one fails.
  void EndAndWait() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status Serve(const std::string& directory) ABSL_LOCKS_EXCLUDED(mutex_);
  void LetGo();
  // Ends the broker and the SDK's own calls, which would hold up the server's
  // end.
  void CloseServices();
  void MakeBroker(std::function<void(std::string)> warn);
  void RunToEnd() ABSL_LOCKS_EXCLUDED(mutex_);
  void TellExit() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasNoCalls() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return ended_ || !started_;
  }
  bool IsNotStarting() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return !starting_;
  }
  bool EndIsAsked() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return end_.has_value();
  }

  const InProcessPluginOptions options_;
  internal::StdioService stdio_;
  internal::HealthService health_;
  internal::ControllerService controller_;
  internal::BrokerService broker_service_;
  // nullptr before Start.
  std::shared_ptr<internal::PluginDirectories> directories_;
  std::unique_ptr<internal::AcceptThreads> threads_;
  std::shared_ptr<internal::BrokerCore> broker_core_;
  std::unique_ptr<Broker> broker_;
  // nullptr before Start.
  std::unique_ptr<internal::PluginServer> server_;
  Endpoint endpoint_;
  internal::SdkThread thread_;

  absl::Mutex mutex_;
  bool claimed_ ABSL_GUARDED_BY(mutex_) = false;
  bool starting_ ABSL_GUARDED_BY(mutex_) = false;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  // The owner wants no start any more.
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  absl::optional<ExitStatus> end_ ABSL_GUARDED_BY(mutex_);
  absl::Duration grace_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::optional<Watcher> watcher_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::testing

#endif  // GOPLUGIN_TESTING_INTERNAL_IN_PROCESS_SERVER_H_

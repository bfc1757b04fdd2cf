#ifndef GOPLUGIN_INTERNAL_SERVE_RUNNING_PLUGIN_H_
#define GOPLUGIN_INTERNAL_SERVE_RUNNING_PLUGIN_H_

#include <grpcpp/security/server_credentials.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/broker.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/broker/broker_core.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/serve/accept_threads.h"
#include "goplugin/internal/serve/broker_service.h"
#include "goplugin/internal/serve/controller_service.h"
#include "goplugin/internal/serve/exit_request.h"
#include "goplugin/internal/serve/health_service.h"
#include "goplugin/internal/serve/host_request.h"
#include "goplugin/internal/serve/host_watch.h"
#include "goplugin/internal/serve/mux_listener.h"
#include "goplugin/internal/serve/plugin_directories.h"
#include "goplugin/internal/serve/plugin_listener.h"
#include "goplugin/internal/serve/plugin_server.h"
#include "goplugin/internal/serve/stdio_service.h"
#include "goplugin/internal/serve/stdout_capture.h"
#include "goplugin/reattach.h"
#include "goplugin/server_options.h"

namespace goplugin::internal {

// A plugin from its handshake line to its end: the signals, descriptor 1, the
// server with the services of go-plugin beside the caller's.
//
// Not thread-safe. Its destructor gives signals and descriptor 1 back, and ends
// the server and its threads.
class RunningPlugin {
 public:
  // Serves as `request` and `options` want it, and tells the host where. Both
  // must outlive the plugin.
  static absl::StatusOr<std::unique_ptr<RunningPlugin>> Start(
      const ServeOptions& options, const HostRequest& request);
  // Without a host: tells options.test_mode where, and leaves descriptor 1
  // alone.
  static absl::StatusOr<std::unique_ptr<RunningPlugin>> StartTest(
      const ServeOptions& options, const HostRequest& request);
  ~RunningPlugin();

  // Serves until the end is asked for, or the host is gone, then stops within
  // the times of the options. False when a service method can't be stopped:
  // then this object must not be destroyed.
  bool RunToEnd();

  // After RunToEnd, where the process ends next: gives signals and descriptor 1
  // back and ends the connection, but leaves the server, which serves nobody
  // any more, and its threads to the exit. To join them would take longer than
  // all else at the end, while the host waits.
  static void LeaveToExit(std::unique_ptr<RunningPlugin> plugin);

 private:
  // Why the plugin ends, as far as it is known: a signal does not tell.
  enum class EndCause { kUnknown, kAsked, kHostGone };

  explicit RunningPlugin(const ServeOptions& options);

  // The first call counts.
  static void SetCause(std::atomic<EndCause>& end, EndCause cause);

  absl::Status TakeSignals(ExitRequest::Interrupt interrupt);
  absl::Status TakeStdout();
  // The version it chose, and the certificate to announce.
  absl::StatusOr<HandshakeResponse> Listen(const HostRequest& request);
  ListenPlan PlacesFor(const HostRequest& request) const;
  absl::Status StartServer(
      std::uint32_t version,
      std::shared_ptr<grpc::ServerCredentials> credentials);
  void Open(std::unique_ptr<PluginListener> listener, bool multiplex,
            BrokerSecurity security);
  void Multiplex(std::unique_ptr<PluginListener> listener);
  void MakeBroker(Endpoint::Network network, BrokerSecurity security);
  ReattachConfig TestConfig(const HandshakeResponse& response) const;
  // False when the host is gone.
  bool AwaitRequest();
  void FlushStdout() ABSL_LOCKS_EXCLUDED(flush_mutex_);
  // What is left of stdout_flush_timeout since the first who asked.
  absl::Duration TimeToFlush() ABSL_LOCKS_EXCLUDED(flush_mutex_);

  const ServeOptions& options_;
  // In the order of their making; the server goes first, what its services
  // refer to later.
  // nullopt for a plugin that outlives its host.
  absl::optional<HostWatch> host_;
  std::unique_ptr<ExitRequest> exit_;
  // Set before the request is made.
  const std::shared_ptr<std::atomic<EndCause>> end_cause_ =
      std::make_shared<std::atomic<EndCause>>(EndCause::kUnknown);
  absl::Mutex flush_mutex_;
  absl::optional<Stopwatch> flushing_ ABSL_GUARDED_BY(flush_mutex_);
  StdioService stdio_;
  // nullptr in test mode.
  std::unique_ptr<StdoutCapture> stdout_;
  HealthService health_;
  ControllerService controller_;
  BrokerService broker_service_;
  std::shared_ptr<PluginDirectories> directories_;
  std::string socket_name_;
  std::shared_ptr<AcceptThreads> threads_;
  std::shared_ptr<BrokerCore> broker_core_;
  std::unique_ptr<Broker> broker_;
  // nullptr when the host did not ask for multiplexing.
  std::unique_ptr<MuxListener> mux_;
  std::unique_ptr<PluginServer> server_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_RUNNING_PLUGIN_H_

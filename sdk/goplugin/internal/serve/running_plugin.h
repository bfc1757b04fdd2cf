#ifndef GOPLUGIN_INTERNAL_SERVE_RUNNING_PLUGIN_H_
#define GOPLUGIN_INTERNAL_SERVE_RUNNING_PLUGIN_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/broker.h"
#include "goplugin/internal/broker/broker_core.h"
#include "goplugin/internal/serve/broker_service.h"
#include "goplugin/internal/serve/controller_service.h"
#include "goplugin/internal/serve/exit_request.h"
#include "goplugin/internal/serve/health_service.h"
#include "goplugin/internal/serve/host_request.h"
#include "goplugin/internal/serve/plugin_server.h"
#include "goplugin/internal/serve/stdio_service.h"
#include "goplugin/internal/serve/stdout_capture.h"
#include "goplugin/server_options.h"

namespace goplugin::internal {

// A plugin from its handshake line to its end: the signals, descriptor 1, the
// server with the services of go-plugin beside the caller's.
//
// Not thread-safe. Its destructor gives signals and descriptor 1 back.
class RunningPlugin {
 public:
  // Serves as `request` and `options` want it, and tells the host where. Both
  // must outlive the plugin.
  static absl::StatusOr<std::unique_ptr<RunningPlugin>> Start(
      const ServeOptions& options, const HostRequest& request);

  // Serves until the end is asked for, then stops within the times of the
  // options. False when a service method can't be stopped: then this object
  // must not be destroyed.
  bool RunToEnd();

 private:
  explicit RunningPlugin(const ServeOptions& options);

  absl::Status TakeProcess();
  absl::Status Listen(const HostRequest& request);
  void MakeBroker(const HostRequest& request, BrokerSecurity security);
  void FlushStdout();

  const ServeOptions& options_;
  // In the order of their making; the server goes first, what its services
  // refer to later.
  std::unique_ptr<ExitRequest> exit_;
  StdioService stdio_;
  std::unique_ptr<StdoutCapture> stdout_;
  HealthService health_;
  ControllerService controller_;
  BrokerService broker_service_;
  std::shared_ptr<BrokerCore> broker_core_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<PluginServer> server_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_RUNNING_PLUGIN_H_

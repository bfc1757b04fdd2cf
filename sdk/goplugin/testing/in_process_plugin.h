#ifndef GOPLUGIN_TESTING_IN_PROCESS_PLUGIN_H_
#define GOPLUGIN_TESTING_IN_PROCESS_PLUGIN_H_

#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_builder.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "goplugin/client_options.h"
#include "goplugin/exit_status.h"
#include "goplugin/launch_operation.h"

namespace goplugin::testing {

class InProcessServer;

// What the plugin serves. A plain value.
struct InProcessPluginOptions {
  // Not owned; must outlive the InProcessPlugin. Generated services, sync or
  // callback, and gRPC's generated mocks of them.
  std::vector<grpc::Service*> services = {};
  // The application protocol version the plugin speaks.
  std::uint32_t protocol_version = 1;
  // As ServeOptions::configure_server.
  std::function<void(grpc::ServerBuilder&)> configure_server = nullptr;
  // As ServeOptions::on_broker, but called on a thread of the SDK, before
  // Launch returns, unless its start_timeout is over earlier; the broker is
  // valid as long as the InProcessPlugin.
  std::function<void(Broker&)> on_broker = nullptr;
};

// A plugin inside the test's own process, for tests of host code: no program is
// built, found or started, but the Client is a real one, and talks to a real
// server. A few milliseconds each.
//
// Example:
//   FakeKv kv;                                 // a proto::KV::Service
//   goplugin::testing::InProcessPlugin plugin(&kv);
//   absl::StatusOr<std::unique_ptr<goplugin::Client>> client =
//       plugin.Launch(options);
//   ASSERT_THAT(client, goplugin::testing::IsOk());
//   EXPECT_TRUE(MyHost(**client).Store("hello", "world"));
//   plugin.WriteStderr("panic: out of disk\n");
//   plugin.End(goplugin::ExitStatus{goplugin::ExitStatus::Kind::kExited, 2});
//   EXPECT_FALSE(MyHost(**client).Store("hello", "again"));
//
// What works as with a launched plugin: stubs, channel, broker, Ping, timings,
// phases, logs, stdio, Shutdown, Kill, ShutdownAll, OnExit, WaitForExit,
// exit_status, Explain with the plugin's last words, channel arguments and
// interceptors. What does not: there is no process, so pid() is -1 and Detach
// and reattach_config answer kNoProcessControl; options.tls is not looked at,
// and the connection (a unix socket in a private directory) is without TLS;
// nothing is read from the plugin's stdout and stderr but what this class is
// told to write. For these, and for plugins that break the protocol, see
// ScriptedPlugin. Under a Supervisor, which needs another one for each start:
// InProcessPlugins.
//
// Thread safety: all methods may be called from any thread.
// Lifetime: client and plugin may end in any order. The destructor ends the
// plugin, and returns when its services' methods have returned: calls under way
// are cancelled, and a method that does not look at that keeps it waiting. So
// does a configure_server or on_broker that has not returned when Launch gave
// up.
class InProcessPlugin {
 public:
  explicit InProcessPlugin(InProcessPluginOptions options);
  // One that serves `service` alone. A template, so that {} are options.
  template <typename Service>
  explicit InProcessPlugin(Service* service, std::uint32_t protocol_version = 1)
      : InProcessPlugin(InProcessPluginOptions{{service}, protocol_version}) {}
  ~InProcessPlugin();
  InProcessPlugin(const InProcessPlugin&) = delete;
  InProcessPlugin& operator=(const InProcessPlugin&) = delete;

  // The client of this plugin; in place of Client::Launch. Of the handshake
  // only the versions count, and they must hold the plugin's. Once: a second
  // plugin takes a second InProcessPlugin.
  //
  // Errors: kOptions, also for a second launch; kAppVersion; kTransport when no
  // socket can be made; kResources when the system gives no thread;
  // kWrongThread.
  absl::StatusOr<std::unique_ptr<Client>> Launch(ClientOptions options);
  // The same without blocking, as Client::LaunchAsync.
  LaunchOperation LaunchAsync(ClientOptions options,
                              Client::LaunchCallback done);

  // The plugin writes to its stderr: lines for the log, hclog's JSON or any
  // text, and the last words of a crash. Before Launch and after the end it is
  // lost.
  void WriteStderr(absl::string_view text);
  // The plugin prints; for ClientOptions::stdio_sink.
  void WriteStdout(absl::string_view text);

  // The plugin ends by itself: with a code, or by a signal. The host sees the
  // crash of a plugin: calls fail with UNAVAILABLE or CANCELLED, OnExit and
  // Explain tell `status` and what was written to stderr. Returns when no call
  // reaches the plugin any more, at once or, beside a method that does not look
  // at its call's cancellation, after half a second. Without effect before
  // Launch, and when the plugin ends already.
  void End(ExitStatus status);

 private:
  const std::shared_ptr<InProcessServer> server_;
};

}  // namespace goplugin::testing

#endif  // GOPLUGIN_TESTING_IN_PROCESS_PLUGIN_H_

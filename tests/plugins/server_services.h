#ifndef TESTS_PLUGINS_SERVER_SERVICES_H_
#define TESTS_PLUGINS_SERVER_SERVICES_H_

#include <grpcpp/generic/async_generic_service.h>

#include <atomic>
#include <deque>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/plugins/server_flags.h"

namespace server_plugin {

class StdioStream;

// The plugin's own services, by literal path: health, controller, stdio and, if
// a flag asks for it, the broker. Everything else is UNIMPLEMENTED. Their
// messages are so small that they are written here by hand.
class PluginServices final : public grpc::CallbackGenericService {
 public:
  explicit PluginServices(const Flags& flags) : flags_(flags) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

  // Sends `data` on GRPCStdio, now or when somebody asks for the stream.
  // `descriptor` is 1 or 2. Thread-safe.
  void PushStdio(int descriptor, const std::string& data);

  // Waits until a Shutdown call that is to be obeyed has come.
  void WaitForShutdown() { shutdown_.WaitForNotification(); }

 private:
  friend class StdioStream;

  grpc::ServerGenericBidiReactor* Health(
      grpc::GenericCallbackServerContext* context);
  grpc::ServerGenericBidiReactor* Shutdown();
  grpc::ServerGenericBidiReactor* Stdio(
      grpc::GenericCallbackServerContext* context);
  grpc::ServerGenericBidiReactor* Broker(
      grpc::GenericCallbackServerContext* context);
  void ObeyShutdown();

  const Flags flags_;
  const absl::Time started_ = absl::Now();
  absl::Notification shutdown_;
  std::atomic<bool> shutdown_seen_{false};
  std::atomic<int> health_checks_{0};
  absl::Mutex mutex_;
  std::deque<std::string> pending_ ABSL_GUARDED_BY(mutex_);
  StdioStream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace server_plugin

#endif  // TESTS_PLUGINS_SERVER_SERVICES_H_

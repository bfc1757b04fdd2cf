#ifndef GOPLUGIN_INTERNAL_SERVE_HEALTH_SERVICE_H_
#define GOPLUGIN_INTERNAL_SERVE_HEALTH_SERVICE_H_

#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/wire/health.pb.h"

namespace goplugin::internal {

// Serves /grpc.health.v1.Health: SERVING for "plugin", by which go-plugin's
// Ping asks, and for "", the server as a whole. Our own, because gRPC's is
// switched on for all servers of a process at once, and generated code would
// register names that the plugin may have linked as well.
//
// Thread safety: all methods may be called from any thread.
// Lifetime: must outlive the server it is registered with.
class HealthService : public grpc::Service {
 public:
  // Calls of Watch at a time; more end with RESOURCE_EXHAUSTED.
  static constexpr size_t kMaxWatchers = 256;

  HealthService();

  // Ends the watchers' calls, and any later one, with UNAVAILABLE: a watch that
  // stays open would hold up the server's shutdown. Check answers NOT_SERVING
  // from now on.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Watcher;

  grpc::Status Check(const wire::HealthCheckRequest& request,
                     wire::HealthCheckResponse& response)
      ABSL_LOCKS_EXCLUDED(mutex_);
  grpc::ServerWriteReactor<wire::HealthCheckResponse>* Watch(
      const wire::HealthCheckRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Mutex mutex_;
  // Owned by gRPC; each leaves when it is done.
  std::set<Watcher*> watchers_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_HEALTH_SERVICE_H_

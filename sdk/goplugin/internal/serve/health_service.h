#ifndef GOPLUGIN_INTERNAL_SERVE_HEALTH_SERVICE_H_
#define GOPLUGIN_INTERNAL_SERVE_HEALTH_SERVICE_H_

#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/versions/steady_condition.h"
#include "goplugin/wire/health.pb.h"

namespace goplugin::internal {

// Serves /grpc.health.v1.Health: SERVING for "plugin", by which go-plugin's
// Ping asks, and for "", the server as a whole. Our own, because gRPC's is
// switched on for all servers of a process at once, and generated code would
// register names that the plugin may have linked as well.
//
// All methods are sync, as those of the SDK's other services: for callbacks
// gRPC has threads of its own, which wait at the connection beside those for
// sync methods, and pass on what comes for them. That would be a fifth of a
// small call's time.
//
// Thread safety: all methods may be called from any thread.
// Lifetime: must outlive the server it is registered with.
class HealthService : public grpc::Service {
 public:
  // Calls of Watch at a time, each of which has a thread; more end with
  // RESOURCE_EXHAUSTED. One whose caller has gone notices within a second, and
  // counts until then, as its thread is still there.
  static constexpr size_t kMaxWatchers = 16;

  HealthService();

  // Ends the watchers' calls, and any later one, with UNAVAILABLE: a watch that
  // stays open would hold up the server's shutdown. Check answers NOT_SERVING
  // from now on.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Writer = grpc::ServerWriter<wire::HealthCheckResponse>;

  grpc::Status Check(const wire::HealthCheckRequest& request,
                     wire::HealthCheckResponse& response)
      ABSL_LOCKS_EXCLUDED(mutex_);
  grpc::Status Watch(const grpc::ServerContext& context,
                     const wire::HealthCheckRequest& request, Writer& writer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Counts one that begins, or says why it may not.
  grpc::Status Enter() ABSL_LOCKS_EXCLUDED(mutex_);
  // Until the service closes, or the call is over.
  grpc::Status Stay(const grpc::ServerContext& context)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Mutex mutex_;
  SteadyCondition changed_;
  size_t watchers_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_HEALTH_SERVICE_H_

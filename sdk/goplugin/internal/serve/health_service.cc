#include "goplugin/internal/serve/health_service.h"

#include <string>

#include "absl/time/time.h"
#include "goplugin/internal/serve/service_methods.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

constexpr char kCheck[] = "/grpc.health.v1.Health/Check";
constexpr char kWatch[] = "/grpc.health.v1.Health/Watch";

using wire::HealthCheckRequest;
using wire::HealthCheckResponse;
using CheckHandler =
    grpc::internal::RpcMethodHandler<HealthService, HealthCheckRequest,
                                     HealthCheckResponse>;
using WatchHandler =
    grpc::internal::ServerStreamingHandler<HealthService, HealthCheckRequest,
                                           HealthCheckResponse>;

// How often a watcher looks whether its call is still there: nothing tells a
// sync method.
constexpr absl::Duration kLook = absl::Seconds(1);

bool IsKnown(const std::string& service) {
  return service.empty() || service == "plugin";
}

grpc::Status Ending() {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the plugin is ending");
}

}  // namespace

HealthService::HealthService() {
  using grpc::internal::RpcMethod;
  using grpc::internal::RpcServiceMethod;
  AddMethod(new RpcServiceMethod(
      kCheck, RpcMethod::NORMAL_RPC,
      new CheckHandler(
          [](HealthService* service, grpc::ServerContext*,
             const HealthCheckRequest* request, HealthCheckResponse* response) {
            return service->Check(*request, *response);
          },
          this)));
  AddMethod(new RpcServiceMethod(
      kWatch, RpcMethod::SERVER_STREAMING,
      new WatchHandler(
          [](HealthService* service, grpc::ServerContext* context,
             const HealthCheckRequest* request, Writer* writer) {
            return service->Watch(*context, *request, *writer);
          },
          this)));
}

void HealthService::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  changed_.NotifyAll();
}

grpc::Status HealthService::Check(const HealthCheckRequest& request,
                                  HealthCheckResponse& response) {
  if (!IsKnown(request.service())) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "unknown service");
  }
  MutexLock lock(mutex_);
  response.set_status(closed_ ? HealthCheckResponse::NOT_SERVING
                              : HealthCheckResponse::SERVING);
  return grpc::Status::OK;
}

// Says the status, which does not change, and stays until one side ends it.
grpc::Status HealthService::Watch(const grpc::ServerContext& context,
                                  const HealthCheckRequest& request,
                                  Writer& writer) {
  const grpc::Status entered = Enter();
  if (!entered.ok()) return entered;
  HealthCheckResponse response;
  response.set_status(IsKnown(request.service())
                          ? HealthCheckResponse::SERVING
                          : HealthCheckResponse::SERVICE_UNKNOWN);
  const grpc::Status status =
      writer.Write(response) ? Stay(context) : grpc::Status::CANCELLED;
  Leave();
  return status;
}

grpc::Status HealthService::Enter() {
  MutexLock lock(mutex_);
  if (closed_) return Ending();
  if (watchers_ >= kMaxWatchers) {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                        "too many watch already");
  }
  ++watchers_;
  return grpc::Status::OK;
}

grpc::Status HealthService::Stay(const grpc::ServerContext& context) {
  while (!context.IsCancelled()) {
    MutexLock lock(mutex_);
    const bool closed = changed_.WaitFor(mutex_, kLook, [this] {
      mutex_.AssertReaderHeld();
      return closed_;
    });
    if (closed) return Ending();
  }
  return grpc::Status::CANCELLED;
}

void HealthService::Leave() {
  MutexLock lock(mutex_);
  --watchers_;
}

}  // namespace goplugin::internal

#include "goplugin/internal/serve/health_service.h"

#include <string>
#include <utility>

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
    grpc::internal::CallbackServerStreamingHandler<HealthCheckRequest,
                                                   HealthCheckResponse>;

bool IsKnown(const std::string& service) {
  return service.empty() || service == "plugin";
}

}  // namespace

// One call of Watch: says the status, which does not change, and stays open
// until one side ends it. Guarded by the service's mutex.
class HealthService::Watcher
    : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  explicit Watcher(HealthService* service) : service_(service) {}

  void Say(HealthCheckResponse::ServingStatus status) {
    response_.set_status(status);
    writing_ = true;
    StartWrite(&response_);
  }

  // Ends the call, after the write under way if there is one. The first call
  // counts.
  void End(grpc::Status status) {
    if (ended_) return;
    ended_ = true;
    end_status_ = std::move(status);
    if (!writing_) Finish(end_status_);
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(service_->mutex_);
    writing_ = false;
    if (ended_) {
      Finish(end_status_);
    } else if (!ok) {
      End(grpc::Status::CANCELLED);
    }
  }

  void OnCancel() override {
    MutexLock lock(service_->mutex_);
    End(grpc::Status::CANCELLED);
  }

  void OnDone() override {
    {
      MutexLock lock(service_->mutex_);
      service_->watchers_.erase(this);
    }
    delete this;
  }

 private:
  HealthService* const service_;
  HealthCheckResponse response_;
  bool writing_ = false;
  bool ended_ = false;
  grpc::Status end_status_;
};

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
  AddMethod(new RpcServiceMethod(kWatch, RpcMethod::SERVER_STREAMING, nullptr));
  MarkMethodCallback(
      1, new WatchHandler([this](grpc::CallbackServerContext*,
                                 const HealthCheckRequest* request) {
        return Watch(*request);
      }));
}

void HealthService::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  for (Watcher* watcher : watchers_) {
    watcher->End(
        grpc::Status(grpc::StatusCode::UNAVAILABLE, "the plugin is ending"));
  }
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

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(
    const HealthCheckRequest& request) {
  auto* watcher = new Watcher(this);
  MutexLock lock(mutex_);
  watchers_.insert(watcher);
  if (closed_) {
    watcher->End(
        grpc::Status(grpc::StatusCode::UNAVAILABLE, "the plugin is ending"));
  } else if (watchers_.size() > kMaxWatchers) {
    watcher->End(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                              "too many watch already"));
  } else {
    watcher->Say(IsKnown(request.service())
                     ? HealthCheckResponse::SERVING
                     : HealthCheckResponse::SERVICE_UNKNOWN);
  }
  return watcher;
}

}  // namespace goplugin::internal

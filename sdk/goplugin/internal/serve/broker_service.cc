#include "goplugin/internal/serve/broker_service.h"

#include <atomic>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/loop/worker.h"
#include "goplugin/internal/serve/service_methods.h"

namespace goplugin::internal {
namespace {

constexpr char kStartStream[] = "/plugin.GRPCBroker/StartStream";

// For the plugin to get ready. Only a stranger can call so early, who has found
// its port before the host was told of it.
constexpr absl::Duration kAttachTimeout = absl::Seconds(5);

using Handler =
    grpc::internal::BidiStreamingHandler<BrokerService, wire::ConnInfo,
                                         wire::ConnInfo>;

}  // namespace

struct BrokerService::Writer {
  Writer(Stream* stream, bool multiplexed) : stream(stream) {
    if (multiplexed) worker.emplace("goplugin-broker");
  }

  bool Write(const wire::ConnInfo& info) {
    if (!worker.has_value()) return WriteNow(info);
    if (!open) return false;
    worker->Post([this, info] { open = WriteNow(info); });
    return true;
  }
  bool WriteNow(const wire::ConnInfo& info) {
    absl::MutexLock lock(&mutex);
    return stream != nullptr && stream->Write(info);
  }
  // Waits for a write under way, which the end of the call ends.
  void Detach() {
    absl::MutexLock lock(&mutex);
    stream = nullptr;
    open = false;
  }

  absl::Mutex mutex;
  Stream* stream ABSL_GUARDED_BY(mutex);
  std::atomic<bool> open{true};
  // For whoever must not wait; goes first.
  absl::optional<Worker> worker;
};

BrokerService::BrokerService() {
  AddMethod(new grpc::internal::RpcServiceMethod(
      kStartStream, grpc::internal::RpcMethod::BIDI_STREAMING,
      new Handler([this](BrokerService*, grpc::ServerContext* context,
                         Stream* stream) { return Run(context, stream); },
                  this)));
}

void BrokerService::Attach(std::shared_ptr<BrokerCore> core) {
  absl::MutexLock lock(&mutex_);
  core_ = std::move(core);
}

void BrokerService::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

std::shared_ptr<BrokerCore> BrokerService::Begin(grpc::ServerContext* context) {
  const auto settled = [this] {
    mutex_.AssertReaderHeld();
    return closed_ || core_ != nullptr;
  };
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&settled), kAttachTimeout);
  if (closed_ || core_ == nullptr) return nullptr;
  if (context_ != nullptr) context_->TryCancel();
  context_ = context;
  return core_;
}

bool BrokerService::Finish(grpc::ServerContext* context) {
  absl::MutexLock lock(&mutex_);
  if (context_ != context) return false;
  context_ = nullptr;
  return true;
}

grpc::Status BrokerService::Run(grpc::ServerContext* context, Stream* stream) {
  const std::shared_ptr<BrokerCore> core = Begin(context);
  if (core == nullptr) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE,
                        "the plugin is starting or ending");
  }
  auto writer = std::make_shared<Writer>(stream, core->multiplexed());
  core->Open(
      [writer](const wire::ConnInfo& info) { return writer->Write(info); });
  wire::ConnInfo info;
  while (stream->Read(&info)) core->Receive(info);
  writer->Detach();
  if (Finish(context)) {
    core->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE,
                             "the host has closed the stream"));
  }
  return grpc::Status::OK;
}

}  // namespace goplugin::internal

#include "goplugin/internal/serve/broker_service.h"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/internal/serve/service_methods.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

constexpr char kStartStream[] = "/plugin.GRPCBroker/StartStream";

// For the plugin to get ready. Only a stranger can call so early, who has found
// its port before the host was told of it.
constexpr absl::Duration kAttachTimeout = absl::Seconds(5);

// Of one message: as for the host's side of the stream.
constexpr size_t kMaxMessage = size_t{4} * 1024 * 1024;

using Handler =
    grpc::internal::BidiStreamingHandler<BrokerService, grpc::ByteBuffer,
                                         wire::ConnInfo>;

}  // namespace

BrokerService::BrokerService() {
  AddMethod(new grpc::internal::RpcServiceMethod(
      kStartStream, grpc::internal::RpcMethod::BIDI_STREAMING,
      new Handler([this](BrokerService*, grpc::ServerContext* context,
                         Stream* stream) { return Run(context, stream); },
                  this)));
}

void BrokerService::Attach(std::shared_ptr<BrokerCore> core) {
  MutexLock lock(mutex_);
  core_ = std::move(core);
  changed_.NotifyAll();
}

void BrokerService::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  changed_.NotifyAll();
  if (context_ != nullptr) context_->TryCancel();
}

std::shared_ptr<BrokerCore> BrokerService::Begin(grpc::ServerContext* context) {
  const auto settled = [this] {
    mutex_.AssertReaderHeld();
    return closed_ || core_ != nullptr;
  };
  MutexLock lock(mutex_);
  changed_.WaitFor(mutex_, kAttachTimeout, settled);
  if (closed_ || core_ == nullptr) return nullptr;
  if (context_ != nullptr) context_->TryCancel();
  context_ = context;
  return core_;
}

void BrokerService::Open(const grpc::ServerContext* context, BrokerCore& core,
                         BrokerCore::Send send) {
  MutexLock lock(mutex_);
  if (context_ == context) core.Open(std::move(send));
}

void BrokerService::Finish(const grpc::ServerContext* context, BrokerCore& core,
                           const grpc::Status& status) {
  MutexLock lock(mutex_);
  if (context_ != context) return;
  context_ = nullptr;
  core.Close(status.ok() ? grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                        "the host has closed the stream")
                         : status);
}

grpc::Status BrokerService::Run(grpc::ServerContext* context, Stream* stream) {
  const std::shared_ptr<BrokerCore> core = Begin(context);
  if (core == nullptr) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE,
                        "the plugin is starting or ending");
  }
  grpc::Status status = Carry(*context, *stream, *core);
  Finish(context, *core, status);
  return status;
}

grpc::Status BrokerService::Carry(grpc::ServerContext& context, Stream& stream,
                                  BrokerCore& core) {
  auto writer = std::make_shared<BrokerWriter>(&stream);
  if (!writer->status().ok()) {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                        std::string(writer->status().message()));
  }
  Open(&context, core,
       [writer](const wire::ConnInfo& info) { return writer->Write(info); });
  grpc::Status status = Receive(stream, *writer, core);
  // Nobody takes what is still to be written.
  if (!status.ok()) context.TryCancel();
  writer->Detach();
  return status;
}

grpc::Status BrokerService::Receive(Stream& stream, BrokerWriter& writer,
                                    BrokerCore& core) {
  grpc::ByteBuffer bytes;
  while (stream.Read(&bytes)) {
    if (bytes.Length() > kMaxMessage) {
      return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                          absl::StrCat("a message of ", bytes.Length(),
                                       " bytes came, where at most ",
                                       kMaxMessage, " are taken"));
    }
    wire::ConnInfo info;
    grpc::Status read =
        grpc::SerializationTraits<wire::ConnInfo>::Deserialize(&bytes, &info);
    if (!read.ok()) return read;
    core.Receive(info);
    writer.WaitForAnswers();
  }
  return grpc::Status::OK;
}

}  // namespace goplugin::internal

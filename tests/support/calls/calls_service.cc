#include "tests/support/calls/calls_service.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace goplugin::testing {
namespace {

// A sync service can't be told of a cancellation: it looks.
constexpr std::chrono::milliseconds kBetweenLooks(1);

std::string ToString(grpc::string_ref text) {
  return std::string(text.data(), text.size());
}

}  // namespace

void CallsService::Begin(grpc::ServerContext& context) {
  ++begun_;
  time_left_ = (context.deadline() - std::chrono::system_clock::now()).count();
  for (const auto& entry : context.client_metadata()) {
    const std::string key = ToString(entry.first);
    const std::string value = ToString(entry.second);
    if (!absl::StartsWith(key, "echo")) continue;
    context.AddInitialMetadata(absl::StrCat("initial-", key), value);
    context.AddTrailingMetadata(absl::StrCat("trailing-", key), value);
  }
}

std::chrono::system_clock::duration CallsService::time_left() const {
  return std::chrono::system_clock::duration(time_left_);
}

void CallsService::WaitUntilHanging(int count) {
  while (hanging_ < count) std::this_thread::sleep_for(kBetweenLooks);
}

grpc::Status CallsService::Hang(grpc::ServerContext& context) {
  ++hanging_;
  while (!context.IsCancelled()) std::this_thread::sleep_for(kBetweenLooks);
  --hanging_;
  ++cancelled_;
  return grpc::Status(grpc::StatusCode::CANCELLED, "hung");
}

grpc::Status CallsService::Obey(grpc::ServerContext& context,
                                const std::string& command) {
  if (command == "fail") {
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "as was asked",
                        std::string("with\0details", 12));
  }
  if (command == "unavailable") {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the service says so");
  }
  if (command == "hang") return Hang(context);
  if (command == "compress") {
    context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  }
  return grpc::Status::OK;
}

grpc::Status CallsService::One(grpc::ServerContext* context,
                               const Message* request, Message* response) {
  Begin(*context);
  response->set_text(request->text());
  return Obey(*context, request->command());
}

grpc::Status CallsService::Collect(grpc::ServerContext* context,
                                   grpc::ServerReader<Message>* reader,
                                   Message* response) {
  Begin(*context);
  Message message;
  int count = 0;
  while (reader->Read(&message)) {
    ++count;
    const grpc::Status status = Obey(*context, message.command());
    if (!status.ok()) return status;
    response->mutable_text()->append(message.text());
  }
  response->set_times(count);
  return grpc::Status::OK;
}

grpc::Status CallsService::Split(grpc::ServerContext* context,
                                 const Message* request,
                                 grpc::ServerWriter<Message>* writer) {
  Begin(*context);
  const grpc::Status status = Obey(*context, request->command());
  if (!status.ok()) return status;
  Message message;
  message.set_text(request->text());
  if (request->command() == "hang-after") {
    writer->Write(message);
    return Hang(*context);
  }
  for (int i = 0; i < request->times(); ++i) {
    message.set_times(i);
    writer->Write(message);
  }
  return grpc::Status::OK;
}

grpc::Status CallsService::Talk(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<Message, Message>* stream) {
  Begin(*context);
  // Before anything is read: whoever waits for it has sent nothing yet.
  stream->SendInitialMetadata();
  Message message;
  while (stream->Read(&message)) {
    const grpc::Status status = Obey(*context, message.command());
    if (!status.ok()) return status;
    stream->Write(message);
  }
  return grpc::Status::OK;
}

CallsServer::CallsServer(const std::string& target) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(target, grpc::InsecureServerCredentials());
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterService(&service_);
  server_ = builder.BuildAndStart();
}

CallsServer::~CallsServer() {
  server_->Shutdown(std::chrono::system_clock::time_point());
  server_->Wait();
}

std::string NewTarget() {
  std::random_device random;
  return absl::StrFormat("unix-abstract:goplugin-calls-%08x%08x", random(),
                         random());
}

}  // namespace goplugin::testing

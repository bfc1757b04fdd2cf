#include "examples/inspect/generic_call.h"

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace inspect {
namespace {

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

bool FromBuffer(const grpc::ByteBuffer& buffer, std::string* bytes) {
  bytes->clear();
  // Dump fails for a buffer of an empty message.
  if (buffer.Length() == 0) return true;
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return false;
  for (const grpc::Slice& slice : slices) {
    bytes->append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return true;
}

void SetTimeout(grpc::ClientContext& context, absl::Duration timeout) {
  // What is negative has passed; gRPC takes times before 1970 for never.
  context.set_deadline(absl::ToChronoTime(
      absl::Now() + std::max(timeout, absl::ZeroDuration())));
}

}  // namespace

grpc::Status CallUnary(const std::shared_ptr<grpc::Channel>& channel,
                       const std::string& path, const std::string& request,
                       absl::Duration timeout, std::string* answer) {
  grpc::ClientContext context;
  SetTimeout(context, timeout);
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel);
  const auto call =
      stub.PrepareUnaryCall(&context, path, ToBuffer(request), &queue);
  grpc::ByteBuffer buffer;
  grpc::Status status;
  call->StartCall();
  call->Finish(&buffer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  // The deadline ends it at the latest.
  queue.Next(&tag, &ok);
  if (status.ok() && !FromBuffer(buffer, answer)) {
    return grpc::Status(grpc::StatusCode::INTERNAL,
                        "the answer can't be decompressed");
  }
  return status;
}

QuestionStream::QuestionStream(const std::shared_ptr<grpc::Channel>& channel,
                               const std::string& path, absl::Duration timeout)
    : stub_(channel) {
  SetTimeout(context_, timeout);
  stream_ = stub_.PrepareCall(&context_, path, &queue_);
  stream_->StartCall(nullptr);
  Wait();
}

QuestionStream::~QuestionStream() {
  if (finished_) return;
  context_.TryCancel();
  Finish(absl::InfiniteDuration());
}

bool QuestionStream::Ask(const std::string& question, std::string* answer) {
  stream_->Write(ToBuffer(question), nullptr);
  if (!Wait()) return false;
  grpc::ByteBuffer buffer;
  stream_->Read(&buffer, nullptr);
  return Wait() && FromBuffer(buffer, answer);
}

grpc::Status QuestionStream::Finish(absl::Duration patience) {
  finished_ = true;
  stream_->WritesDone(nullptr);
  Wait();
  grpc::Status status;
  stream_->Finish(&status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  if (queue_.AsyncNext(&tag, &ok, absl::ToChronoTime(absl::Now() + patience)) ==
      grpc::CompletionQueue::TIMEOUT) {
    context_.TryCancel();
    Wait();
  }
  return status;
}

bool QuestionStream::Wait() {
  void* tag = nullptr;
  bool ok = false;
  return queue_.Next(&tag, &ok) && ok;
}

}  // namespace inspect

#include "tests/fuzz/conversation_peer.h"

#include <grpcpp/server_builder.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::testing {
namespace {

using Reactor = grpc::ServerGenericBidiReactor;
using Answer = ConversationPeer::Answer;

// A peer that is told more than this in one conversation is told too much.
constexpr size_t kMaxWaiting = 1000;
constexpr char kServing[] = "\x08\x01";

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

grpc::Status ToStatus(int code) {
  return grpc::Status(static_cast<grpc::StatusCode>(code % 17), "as told");
}

class OneAnswer final : public Reactor {
 public:
  explicit OneAnswer(const Answer& answer)
      : message_(ToBuffer(answer.message)) {
    if (answer.kind == Answer::Kind::kMessage) {
      StartWriteAndFinish(&message_, grpc::WriteOptions(), grpc::Status::OK);
    } else if (answer.kind == Answer::Kind::kError) {
      Finish(ToStatus(answer.code));
    } else {
      silent_ = true;
    }
  }
  void OnCancel() override {
    if (silent_) Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer message_;
  bool silent_ = false;
};

}  // namespace

// Writes what waits, one message after the other, until it is cancelled. All
// of it is guarded by the peer's mutex.
class PeerStream final : public Reactor {
 public:
  PeerStream(ConversationPeer* peer, ConversationPeer::Stream stream)
      : peer_(peer), stream_(stream) {}

  void Pump() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    ConversationPeer::Line& line = peer_->LineOf(stream_);
    if (writing_ || finished_ || line.waiting.empty()) return;
    writing_ = true;
    message_ = ToBuffer(line.waiting.front());
    line.waiting.pop_front();
    StartWrite(&message_);
  }

  void End(const grpc::Status& status) {
    if (std::exchange(finished_, true)) return;
    Finish(status);
  }

  void OnWriteDone(bool ok) override {
    internal::MutexLock lock(peer_->mutex_);
    writing_ = false;
    if (ok && peer_->LineOf(stream_).open == this) Pump();
  }
  void OnCancel() override {
    internal::MutexLock lock(peer_->mutex_);
    End(grpc::Status::CANCELLED);
  }
  void OnDone() override {
    {
      internal::MutexLock lock(peer_->mutex_);
      if (peer_->LineOf(stream_).open == this) {
        peer_->LineOf(stream_).open = nullptr;
      }
    }
    delete this;
  }

 private:
  ConversationPeer* const peer_;
  const ConversationPeer::Stream stream_;
  bool writing_ = false;
  bool finished_ = false;
  grpc::ByteBuffer message_;
};

ConversationPeer& ConversationPeer::Get() {
  static auto* peer = new ConversationPeer;
  return *peer;
}

ConversationPeer::ConversationPeer() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port_);
  builder.RegisterCallbackGenericService(this);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port_ == 0) std::abort();
}

void ConversationPeer::Reset() {
  internal::MutexLock lock(mutex_);
  stdio_ = Line();
  broker_ = Line();
  health_.clear();
  shutdown_ = Answer();
}

void ConversationPeer::Send(Stream stream, absl::string_view message) {
  internal::MutexLock lock(mutex_);
  Line& line = LineOf(stream);
  if (line.waiting.size() >= kMaxWaiting) return;
  line.waiting.emplace_back(message);
  if (line.open != nullptr) line.open->Pump();
}

void ConversationPeer::End(Stream stream, int code) {
  internal::MutexLock lock(mutex_);
  Line& line = LineOf(stream);
  if (line.open != nullptr) line.open->End(ToStatus(code));
}

void ConversationPeer::AddHealth(Answer answer) {
  internal::MutexLock lock(mutex_);
  health_.push_back(std::move(answer));
}

void ConversationPeer::SetShutdown(Answer answer) {
  internal::MutexLock lock(mutex_);
  shutdown_ = std::move(answer);
}

Reactor* ConversationPeer::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  const std::string& method = context->method();
  internal::MutexLock lock(mutex_);
  if (method == "/grpc.health.v1.Health/Check") {
    Answer answer{Answer::Kind::kMessage, kServing, 0};
    if (!health_.empty()) {
      answer = health_.front();
      health_.pop_front();
    }
    return new OneAnswer(answer);
  }
  if (method == "/plugin.GRPCController/Shutdown") {
    return new OneAnswer(shutdown_);
  }
  const bool stdio = method == "/plugin.GRPCStdio/StreamStdio";
  if (!stdio && method != "/plugin.GRPCBroker/StartStream") {
    return new OneAnswer({Answer::Kind::kError, "", 12});
  }
  const Stream stream = stdio ? Stream::kStdio : Stream::kBroker;
  auto* opened = new PeerStream(this, stream);
  LineOf(stream).open = opened;
  opened->Pump();
  return opened;
}

}  // namespace goplugin::testing

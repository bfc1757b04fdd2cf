#include "tests/plugins/server_services.h"

#include <grpcpp/support/byte_buffer.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "tests/plugins/server_floods.h"
#include "tests/plugins/server_mischief.h"

namespace server_plugin {
namespace {

using grpc::ByteBuffer;
using grpc::Status;
using grpc::StatusCode;
using Reactor = grpc::ServerGenericBidiReactor;

// Answers a call with one message.
class OneReply final : public Reactor {
 public:
  explicit OneReply(const std::string& bytes) : reply_(ToBuffer(bytes)) {
    StartWriteAndFinish(&reply_, grpc::WriteOptions(), Status::OK);
  }
  void OnDone() override { delete this; }

 private:
  ByteBuffer reply_;
};

// The same after a while, without holding up anybody.
class SlowReply final : public Reactor {
 public:
  SlowReply(const std::string& bytes, absl::Duration delay)
      : reply_(ToBuffer(bytes)) {
    std::thread([this, delay] {
      absl::SleepFor(delay);
      StartWriteAndFinish(&reply_, grpc::WriteOptions(), Status::OK);
    }).detach();
  }
  void OnDone() override { delete this; }

 private:
  ByteBuffer reply_;
};

// Ends a call without a message.
class JustStatus final : public Reactor {
 public:
  explicit JustStatus(const Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

// Says nothing until the other side gives up.
class NoReply final : public Reactor {
 public:
  void OnCancel() override { Finish(Status::CANCELLED); }
  void OnDone() override { delete this; }
};

// Sends its messages one after the other, and then waits until the other side
// gives up.
class Announcer final : public Reactor {
 public:
  explicit Announcer(std::vector<std::string> messages)
      : messages_(std::move(messages)) {
    WriteNext();
  }
  void OnWriteDone(bool ok) override {
    if (ok) WriteNext();
  }
  void OnCancel() override { Finish(Status::CANCELLED); }
  void OnDone() override { delete this; }

 private:
  void WriteNext() {
    if (next_ == messages_.size()) return;
    message_ = ToBuffer(messages_[next_++]);
    StartWrite(&message_);
  }

  const std::vector<std::string> messages_;
  std::size_t next_ = 0;
  ByteBuffer message_;
};

// ConnInfo{service_id, network, address}.
std::string ConnInfo(std::uint32_t id, const std::string& network,
                     const std::string& address) {
  return "\x08" + Varint(id) + "\x12" + Varint(network.size()) + network +
         "\x1a" + Varint(address.size()) + address;
}

Reactor* Unimplemented() {
  return new JustStatus(Status(StatusCode::UNIMPLEMENTED, "unknown method"));
}

// HealthCheckResponse{status}.
constexpr char kServing[] = "\x08\x01";
constexpr char kNotServing[] = "\x08\x02";

}  // namespace

// The one StreamStdio call. A second one takes over from the first.
class StdioStream final : public Reactor {
 public:
  explicit StdioStream(PluginServices* services) : services_(services) {}

  // Writes the next message, if there is one and none is under way. Called with
  // the services' mutex held, which guards everything here.
  void Pump() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (writing_ || finished_ || services_->pending_.empty()) return;
    writing_ = true;
    message_ = ToBuffer(services_->pending_.front());
    services_->pending_.pop_front();
    StartWrite(&message_);
  }

  void OnWriteDone(bool ok) override {
    goplugin::internal::MutexLock lock(services_->mutex_);
    writing_ = false;
    if (ok) Pump();
  }

  void OnCancel() override {
    goplugin::internal::MutexLock lock(services_->mutex_);
    if (finished_) return;
    finished_ = true;
    Finish(Status::CANCELLED);
  }

  void OnDone() override {
    {
      goplugin::internal::MutexLock lock(services_->mutex_);
      if (services_->stream_ == this) services_->stream_ = nullptr;
    }
    delete this;
  }

 private:
  PluginServices* const services_;
  bool writing_ = false;
  bool finished_ = false;
  ByteBuffer message_;
};

Reactor* PluginServices::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  const std::string& method = context->method();
  if (method == "/grpc.health.v1.Health/Check") return Health(context);
  if (method == "/plugin.GRPCController/Shutdown") return Shutdown();
  if (method == "/plugin.GRPCStdio/StreamStdio") return Stdio(context);
  if (method == "/plugin.GRPCBroker/StartStream") return Broker(context);
  return Unimplemented();
}

Reactor* PluginServices::Health(grpc::GenericCallbackServerContext* context) {
  const std::string kind = flags_.Get("health", "serving");
  if (kind == "not_serving") return new OneReply(kNotServing);
  if (kind == "late") {  // not serving at first
    return new OneReply(++health_checks_ > 3 ? kServing : kNotServing);
  }
  if (kind == "unimplemented") return Unimplemented();
  if (kind == "not_found") {
    return new JustStatus(Status(StatusCode::NOT_FOUND, "unknown service"));
  }
  if (kind == "hang") return new NoReply;
  if (kind == "slow") return new SlowReply(kServing, flags_.Time("warming"));
  if (kind == "die") Die("signal");
  if (kind == "large" || kind == "bomb") {
    return SendLarge(context, kServing, flags_.Bytes("large", 5 << 20),
                     kind == "bomb", /*ends=*/true);
  }
  if (kind == "warming" && absl::Now() < started_ + flags_.Time("warming")) {
    return new JustStatus(Status(StatusCode::UNAVAILABLE, "warming up"));
  }
  return new OneReply(kServing);
}

void PluginServices::ObeyShutdown() {
  if (!shutdown_seen_.exchange(true)) shutdown_.Notify();
}

Reactor* PluginServices::Shutdown() {
  const std::string kind = flags_.Get("shutdown", "ok");
  if (kind == "unimplemented") return Unimplemented();
  if (kind == "hang") return new NoReply;
  if (kind == "error") {
    return new JustStatus(Status(StatusCode::INTERNAL, "refusing"));
  }
  if (kind == "cut") _exit(flags_.Number("exit-code", 0));
  if (kind != "ignore") ObeyShutdown();
  return new OneReply("");
}

Reactor* PluginServices::Stdio(grpc::GenericCallbackServerContext* context) {
  const std::string kind = flags_.Get("stdio", "serve");
  if (kind == "unimplemented") return Unimplemented();
  if (kind == "end") return new JustStatus(Status::OK);
  if (kind == "error") {
    return new JustStatus(Status(StatusCode::INTERNAL, "no stdio today"));
  }
  if (kind == "bomb") {
    return SendLarge(context, "\x08\x01", flags_.Bytes("large", 5 << 20),
                     /*compressed=*/true, /*ends=*/false);
  }
  auto* stream = new StdioStream(this);
  goplugin::internal::MutexLock lock(mutex_);
  stream_ = stream;
  stream_->Pump();
  return stream;
}

Reactor* PluginServices::Broker(grpc::GenericCallbackServerContext* context) {
  const std::string endless = flags_.Get("broker-endless", "");
  if (!endless.empty()) return FloodBroker(endless);
  const std::string large = flags_.Get("broker-large", "");
  if (!large.empty()) {
    return SendLarge(context, ConnInfo(1, "unix", "/none"),
                     flags_.Bytes("large", 5 << 20), large == "bomb",
                     /*ends=*/false);
  }
  const int flood = flags_.Number("broker-flood", 0);
  if (!flags_.Has("broker") && flood == 0) return Unimplemented();
  std::vector<std::string> messages;
  for (int id = 1; id <= flood; ++id) {
    messages.push_back(ConnInfo(id, "unix", "/nonexistent"));
  }
  for (absl::string_view spec :
       absl::StrSplit(flags_.Get("broker", ""), ',', absl::SkipEmpty())) {
    const std::vector<std::string> fields =
        absl::StrSplit(spec, absl::MaxSplits(':', 2));
    std::uint32_t id = 0;
    if (fields.size() == 3 && absl::SimpleAtoi(fields[0], &id)) {
      messages.push_back(ConnInfo(id, fields[1], fields[2]));
    }
  }
  return new Announcer(std::move(messages));
}

void PluginServices::PushStdio(int descriptor, const std::string& data) {
  // StdioData{channel, data}.
  const std::string head = {'\x08', static_cast<char>(descriptor), '\x12'};
  goplugin::internal::MutexLock lock(mutex_);
  pending_.push_back(head + Varint(data.size()) + data);
  if (stream_ != nullptr) stream_->Pump();
}

}  // namespace server_plugin

#ifndef TESTS_UNIT_CHANNEL_CALLS_WORLD_H_
#define TESTS_UNIT_CHANNEL_CALLS_WORLD_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "goplugin/internal/channel/call_relay.h"
#include "goplugin/internal/channel/call_target.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/channel/passing_channel.h"
#include "tests/support/calls/calls.grpc.pb.h"
#include "tests/support/calls/calls_service.h"
#include "tests/unit/channel/fake_router.h"

namespace goplugin::internal {

using testing::Calls;
using testing::CallsServer;
using testing::CallsService;
using testing::Message;
using testing::NewTarget;

// No test waits for that long.
inline std::chrono::system_clock::time_point Soon() {
  return std::chrono::system_clock::now() + std::chrono::seconds(60);
}
inline std::chrono::system_clock::time_point In(
    std::chrono::milliseconds time) {
  return std::chrono::system_clock::now() + time;
}

inline std::shared_ptr<CallTarget> TargetAt(
    const std::string& address, InterceptorFactories interceptors = {}) {
  auto target = std::make_shared<CallTarget>();
  target->channel =
      CreatePluginChannel(address, grpc::InsecureChannelCredentials(),
                          MergeChannelArguments({}), std::move(interceptors));
  return target;
}

// A server, and its target, whose channel has the interceptors.
struct Plugin {
  using MakeInterceptors = std::function<InterceptorFactories()>;
  explicit Plugin(const MakeInterceptors& interceptors = nullptr)
      : make_interceptors(interceptors),
        target(TargetAt(address, interceptors == nullptr
                                     ? InterceptorFactories()
                                     : interceptors())) {}

  CallsService& service() { return server->service(); }
  // As kill -9 does for those who call it.
  void Die() { server.reset(); }

  const MakeInterceptors make_interceptors;
  const std::string address = NewTarget();
  std::unique_ptr<CallsServer> server = std::make_unique<CallsServer>(address);
  const std::shared_ptr<CallTarget> target;
};

// A passing channel, and who tells it where calls go.
struct Passing {
  explicit Passing(PassingOptions options = {}, bool all_wait = false)
      : router(std::make_shared<FakeRouter>(all_wait)),
        relay(std::make_shared<CallRelay>()),
        channel(std::make_shared<PassingChannel>(router, relay,
                                                 std::move(options))),
        stub(Calls::NewStub(channel)) {}

  std::shared_ptr<FakeRouter> router;
  std::shared_ptr<CallRelay> relay;
  std::shared_ptr<grpc::ChannelInterface> channel;
  std::unique_ptr<Calls::Stub> stub;
};

inline Message MessageOf(const std::string& text,
                         const std::string& command = "", int times = 1) {
  Message message;
  message.set_text(text);
  message.set_command(command);
  message.set_times(times);
  return message;
}

// A call under way, on a completion queue of its own.
class AsyncOne {
 public:
  AsyncOne(Calls::Stub& stub, const Message& request)
      : AsyncOne(stub, request, Soon()) {}
  // Of any type that a ClientContext takes.
  template <typename Deadline>
  AsyncOne(Calls::Stub& stub, const Message& request, Deadline deadline) {
    context.set_deadline(deadline);
    reader_ = stub.AsyncOne(&context, request, &queue_);
    reader_->Finish(&response, &status_, this);
  }
  ~AsyncOne() {
    context.TryCancel();
    Wait();
    void* tag = nullptr;
    bool ok = false;
    queue_.Shutdown();
    while (queue_.Next(&tag, &ok)) {
    }
  }
  AsyncOne(const AsyncOne&) = delete;
  AsyncOne& operator=(const AsyncOne&) = delete;

  grpc::Status Wait() {
    void* tag = nullptr;
    bool ok = false;
    if (!std::exchange(over_, true)) queue_.Next(&tag, &ok);
    return status_;
  }

  grpc::ClientContext context;
  Message response;

 private:
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Message>> reader_;
  grpc::Status status_;
  bool over_ = false;
};

}  // namespace goplugin::internal

#endif  // TESTS_UNIT_CHANNEL_CALLS_WORLD_H_

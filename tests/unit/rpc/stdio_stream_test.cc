#include "goplugin/internal/rpc/stdio_stream.h"

#include <grpcpp/alarm.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

// Takes any call, and never says anything.
class MuteServer {
 public:
  MuteServer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterAsyncGenericService(&service_);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    service_.RequestCall(&context_, &stream_, queue_.get(), queue_.get(), this);
    void* tag = nullptr;
    bool ok = false;
    poller_ = std::thread([this, tag, ok]() mutable {
      while (queue_->Next(&tag, &ok)) continue;
    });
  }
  ~MuteServer() {
    server_->Shutdown(std::chrono::system_clock::now());
    queue_->Shutdown();
    poller_.join();
  }
  MuteServer(const MuteServer&) = delete;
  MuteServer& operator=(const MuteServer&) = delete;

  std::shared_ptr<grpc::Channel> Connect() const {
    return grpc::CreateChannel(absl::StrCat("127.0.0.1:", port_),
                               grpc::InsecureChannelCredentials());
  }

 private:
  int port_ = 0;
  grpc::AsyncGenericService service_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::thread poller_;
};

// Holds up the queue's thread, as a machine under load does.
class Block final : public CallQueue::Tag {
 public:
  explicit Block(CallQueue& queue) {
    alarm_.Set(queue.completion_queue(), std::chrono::system_clock::now(),
               tag());
    blocked_.WaitForNotification();
  }
  void Release() { released_.Notify(); }
  void OnComplete(bool /*ok*/) override {
    blocked_.Notify();
    released_.WaitForNotification();
  }

 private:
  grpc::Alarm alarm_;
  absl::Notification blocked_;
  absl::Notification released_;
};

TEST(StdioStreamTest, TheQueueOutlivesOneThatWasCancelled) {
  const MuteServer server;
  auto queue = std::make_unique<CallQueue>();
  absl::Notification ended;
  StdioCallbacks callbacks;
  callbacks.progress = [] { return 0; };
  callbacks.on_end = [&ended](const grpc::Status&) { ended.Notify(); };
  CallHandle stream =
      StartStdioStream(*queue, server.Connect(), std::move(callbacks));
  // Asked for, and nothing has come yet.
  ASSERT_TRUE(queue->WaitUntilCalm(absl::Seconds(30)));
  Block block(*queue);
  stream.Cancel();
  std::thread end([&queue] { queue.reset(); });
  // What can't be seen: it waits.
  absl::SleepFor(absl::Milliseconds(100));
  block.Release();
  end.join();
  EXPECT_TRUE(ended.HasBeenNotified());
}

}  // namespace
}  // namespace goplugin::internal

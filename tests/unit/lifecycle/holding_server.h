#ifndef TESTS_UNIT_LIFECYCLE_HOLDING_SERVER_H_
#define TESTS_UNIT_LIFECYCLE_HOLDING_SERVER_H_

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <memory>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

// Takes any call, and keeps it until it is told what to answer.
class HoldingServer final : private grpc::CallbackGenericService {
 public:
  HoldingServer() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", port),
                                   grpc::InsecureChannelCredentials());
  }
  ~HoldingServer() override {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Calls that are kept, and all that there ever were.
  size_t held() const {
    MutexLock lock(mutex_);
    return held_.size();
  }
  size_t taken() const {
    MutexLock lock(mutex_);
    return taken_;
  }

  void AnswerAll(const grpc::Status& status) {
    std::set<Call*> held;
    {
      MutexLock lock(mutex_);
      held = std::exchange(held_, {});
    }
    for (Call* const call : held) call->Finish(status);
  }

 private:
  class Call final : public grpc::ServerGenericBidiReactor {
   public:
    explicit Call(HoldingServer& server) : server_(server) {}
    void OnCancel() override {
      if (server_.Release(this)) Finish(grpc::Status::CANCELLED);
    }
    void OnDone() override { delete this; }

   private:
    HoldingServer& server_;
  };

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* /*context*/) override {
    auto* const call = new Call(*this);
    MutexLock lock(mutex_);
    held_.insert(call);
    ++taken_;
    return call;
  }
  bool Release(Call* call) {
    MutexLock lock(mutex_);
    return held_.erase(call) > 0;
  }

  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  mutable absl::Mutex mutex_;
  std::set<Call*> held_ ABSL_GUARDED_BY(mutex_);
  size_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace goplugin::internal

#endif  // TESTS_UNIT_LIFECYCLE_HOLDING_SERVER_H_

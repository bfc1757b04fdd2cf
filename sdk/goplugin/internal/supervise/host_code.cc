#include "goplugin/internal/supervise/host_code.h"

#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "goplugin/log_sink.h"

namespace goplugin::internal {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

class CountedSink final : public StdioSink {
 public:
  CountedSink(std::shared_ptr<HostCode> code, std::shared_ptr<StdioSink> sink)
      : code_(std::move(code)), sink_(std::move(sink)) {}

  void Write(const StdioChunk& chunk) override {
    const HostCode::Visit visit(*code_);
    sink_->Write(chunk);
  }

 private:
  const std::shared_ptr<HostCode> code_;
  const std::shared_ptr<StdioSink> sink_;
};

class CountedInterceptor final : public Interceptor {
 public:
  CountedInterceptor(std::shared_ptr<HostCode> code,
                     std::unique_ptr<Interceptor> user)
      : code_(std::move(code)), user_(std::move(user)) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    // The call, and this with it, may be over before Intercept is.
    const std::shared_ptr<HostCode> code = code_;
    const HostCode::Visit visit(*code);
    user_->Intercept(methods);
  }

 private:
  const std::shared_ptr<HostCode> code_;
  const std::unique_ptr<Interceptor> user_;
};

class CountedFactory final : public ClientInterceptorFactoryInterface {
 public:
  CountedFactory(std::shared_ptr<HostCode> code,
                 std::unique_ptr<ClientInterceptorFactoryInterface> user)
      : code_(std::move(code)), user_(std::move(user)) {}

  Interceptor* CreateClientInterceptor(ClientRpcInfo* info) override {
    const HostCode::Visit visit(*code_);
    std::unique_ptr<Interceptor> made(user_->CreateClientInterceptor(info));
    // gRPC takes none for an answer, too.
    if (made == nullptr) return nullptr;
    return new CountedInterceptor(code_, std::move(made));
  }

 private:
  const std::shared_ptr<HostCode> code_;
  const std::unique_ptr<ClientInterceptorFactoryInterface> user_;
};

}  // namespace

void CountVisits(std::shared_ptr<HostCode> code, ClientOptions& options) {
  for (std::shared_ptr<StdioSink>* const sink :
       {&options.stderr_sink, &options.stdio_sink}) {
    if (*sink != nullptr) {
      *sink = std::make_shared<CountedSink>(code, std::move(*sink));
    }
  }
  if (options.on_phase != nullptr) {
    options.on_phase = [code, user = std::move(options.on_phase)](
                           LaunchPhase phase, absl::Duration since) {
      const HostCode::Visit visit(*code);
      user(phase, since);
    };
  }
  if (options.interceptors == nullptr) return;
  options.interceptors = [code = std::move(code),
                          user = std::move(options.interceptors)] {
    const HostCode::Visit visit(*code);
    std::vector<std::unique_ptr<ClientInterceptorFactoryInterface>> factories =
        user();
    for (std::unique_ptr<ClientInterceptorFactoryInterface>& factory :
         factories) {
      if (factory == nullptr) continue;
      factory = std::make_unique<CountedFactory>(code, std::move(factory));
    }
    return factories;
  };
}

}  // namespace goplugin::internal

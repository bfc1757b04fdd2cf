#ifndef TESTS_SUPPORT_STUCK_STUCK_SINKS_H_
#define TESTS_SUPPORT_STUCK_STUCK_SINKS_H_

#include <grpcpp/support/client_interceptor.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "goplugin/log_sink.h"
#include "goplugin/telemetry.h"
#include "tests/support/stuck/gate.h"

namespace goplugin::testing {

// Does not return from its first entry.
class StuckLogSink final : public LogSink {
 public:
  explicit StuckLogSink(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}
  void Log(const LogEntry& /*entry*/) override { gate_->Pass(); }

 private:
  const std::shared_ptr<Gate> gate_;
};

class StuckStdioSink final : public StdioSink {
 public:
  explicit StuckStdioSink(std::shared_ptr<Gate> gate)
      : gate_(std::move(gate)) {}
  void Write(const StdioChunk& /*chunk*/) override { gate_->Pass(); }

 private:
  const std::shared_ptr<Gate> gate_;
};

class StuckTelemetry final : public Telemetry {
 public:
  explicit StuckTelemetry(std::shared_ptr<Gate> gate)
      : gate_(std::move(gate)) {}
  void OnLaunch(const LaunchEvent& /*event*/) override { gate_->Pass(); }

 private:
  const std::shared_ptr<Gate> gate_;
};

// Holds up each call of the client's, the SDK's own too.
class StuckInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit StuckInterceptor(std::shared_ptr<Gate> gate)
      : gate_(std::move(gate)) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* batch) override {
    using Hook = grpc::experimental::InterceptionHookPoints;
    if (batch->QueryInterceptionHookPoint(Hook::PRE_SEND_INITIAL_METADATA)) {
      gate_->Pass();
    }
    batch->Proceed();
  }

 private:
  const std::shared_ptr<Gate> gate_;
};

class StuckInterceptorFactory final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit StuckInterceptorFactory(std::shared_ptr<Gate> gate)
      : gate_(std::move(gate)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* /*info*/) override {
    return new StuckInterceptor(gate_);
  }

 private:
  const std::shared_ptr<Gate> gate_;
};

using InterceptorFactories = std::vector<
    std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>;

// For ClientOptions::interceptors.
inline std::function<InterceptorFactories()> StuckInterceptors(
    std::shared_ptr<Gate> gate) {
  return [gate] {
    InterceptorFactories factories;
    factories.push_back(std::make_unique<StuckInterceptorFactory>(gate));
    return factories;
  };
}

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_STUCK_STUCK_SINKS_H_

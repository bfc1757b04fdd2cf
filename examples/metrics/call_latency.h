#ifndef EXAMPLES_METRICS_CALL_LATENCY_H_
#define EXAMPLES_METRICS_CALL_LATENCY_H_

#include <grpcpp/support/client_interceptor.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <chrono>
#include <memory>
#include <vector>

// How long calls take, by an interceptor of gRPC's: in a plugin's client or on
// all processes behind a supervisor's one stub. A file to copy.
//
//   options.interceptors = CallLatency(*registry);
//
// Each call counts once on each process that it was made on; the wait for a
// process is not in it. A user's interceptors see the client's own calls as
// well (health, Shutdown).

// One call.
class CallLatencyInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit CallLatencyInterceptor(prometheus::Histogram& seconds)
      : seconds_(seconds) {}

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    using Point = grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(Point::POST_RECV_STATUS)) {
      seconds_.Observe(
          std::chrono::duration<double>(Clock::now() - begun_).count());
    }
    methods->Proceed();
  }

 private:
  using Clock = std::chrono::steady_clock;

  prometheus::Histogram& seconds_;
  const Clock::time_point begun_ = Clock::now();
};

class CallLatencyFactory final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit CallLatencyFactory(
      prometheus::Family<prometheus::Histogram>& seconds)
      : seconds_(seconds) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* call) override {
    return new CallLatencyInterceptor(seconds_.Add(
        {{"method", call->method()}},
        prometheus::Histogram::BucketBoundaries{.0001, .00025, .0005, .001,
                                                .0025, .005, .01, .025, .05, .1,
                                                .25, .5, 1, 2.5, 5, 10}));
  }

 private:
  prometheus::Family<prometheus::Histogram>& seconds_;
};

// For ClientOptions::interceptors. `registry` outlives the clients.
inline auto CallLatency(prometheus::Registry& registry) {
  auto& seconds = prometheus::BuildHistogram()
                      .Name("goplugin_call_seconds")
                      .Help("From the start of a call to its status.")
                      .Register(registry);
  return [&seconds] {
    std::vector<
        std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>
        factories;
    factories.push_back(std::make_unique<CallLatencyFactory>(seconds));
    return factories;
  };
}

#endif  // EXAMPLES_METRICS_CALL_LATENCY_H_

// A host that tells Prometheus how its plugin fares: calls it ten times a
// second, and serves /metrics, until its input ends.
//   metrics PLUGIN [ADDRESS]      ADDRESS: 127.0.0.1:9464, or port 0 for any
// Exit codes: 0 done, 1 the plugin did not start, 2 wrong usage.

#include <grpcpp/client_context.h>
#include <prometheus/exposer.h>
#include <prometheus/registry.h>

#include <atomic>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/metrics/call_latency.h"
#include "examples/metrics/prometheus_telemetry.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/supervisor.h"

namespace {

void KeepCalling(const goplugin::Supervisor& supervisor,
                 const std::atomic<bool>& over) {
  const auto kv = supervisor.NewStub<proto::KV>();
  while (!over) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
    proto::PutRequest request;
    request.set_key("metrics");
    request.set_value("hello");
    proto::Empty response;
    kv->Put(&context, request, &response);
    absl::SleepFor(absl::Milliseconds(100));
  }
}

int Run(const std::string& program, const std::string& address) {
  const auto registry = std::make_shared<prometheus::Registry>();
  prometheus::Exposer exposer(address);
  exposer.RegisterCollectable(registry);

  goplugin::ClientOptions options;
  options.handshake.magic_cookie_key = "BASIC_PLUGIN";
  options.handshake.magic_cookie_value = "hello";
  options.handshake.protocol_versions = {1};
  options.telemetry = std::make_shared<PrometheusTelemetry>(registry);
  options.usage_interval = absl::Seconds(5);
  options.interceptors = CallLatency(*registry);
  absl::StatusOr<std::unique_ptr<goplugin::Supervisor>> plugin =
      goplugin::Supervisor::Start(goplugin::Command{program}, options);
  if (!plugin.ok()) {
    std::cerr << goplugin::ToString(plugin.status()) << "\n";
    return 1;
  }
  std::cout << "http://127.0.0.1:" << exposer.GetListeningPorts().front()
            << "/metrics" << std::endl;

  std::atomic<bool> over{false};
  std::thread caller([&] { KeepCalling(**plugin, over); });
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  over = true;
  caller.join();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 || argc == 3) {
    return Run(argv[1], argc == 3 ? argv[2] : "127.0.0.1:9464");
  }
  std::cerr << "usage: metrics PLUGIN [ADDRESS]\n";
  return 2;
}

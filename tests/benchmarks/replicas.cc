#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/supervisor.h"
#include "tests/benchmarks/benches.h"
#include "tests/benchmarks/report.h"
#include "tests/benchmarks/session.h"

namespace goplugin::benchmarks {

void MeasureReplicas(const Flags& flags) {
  SupervisorOptions supervision;
  supervision.replicas = flags.count;
  const absl::StatusOr<std::unique_ptr<Supervisor>> plugin =
      Supervisor::Start(CommandOf(flags), OptionsOf(flags), supervision);
  Must(plugin.status());
  const Kv kv((*plugin)->NewStub<proto::KV>());
  for (int i = 0; i < flags.count; ++i) kv.Get(flags.key);

  std::atomic<int> left{flags.calls};
  std::vector<std::thread> callers;
  const absl::Duration begin = Clock();
  for (int i = 0; i < flags.parallel; ++i) {
    callers.emplace_back([&] {
      while (left.fetch_sub(1) > 0) kv.Get(flags.key);
    });
  }
  for (std::thread& caller : callers) caller.join();
  const absl::Duration wall = Clock() - begin;
  JsonLine("replicas", flags.auto_mtls)
      .Add("replicas", std::int64_t{flags.count})
      .Add("per_second", flags.calls / absl::ToDoubleSeconds(wall))
      .Print();
}

}  // namespace goplugin::benchmarks

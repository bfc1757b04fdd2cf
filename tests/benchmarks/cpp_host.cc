// A C++ host that measures a KV plugin, for comparison with the same
// measurements by go_host and by a raw gRPC channel. README.md tells the lines
// it prints.
//
//   cpp_host [flags] PLUGIN [ARGS...]

#include <cstdio>

#include "absl/types/optional.h"
#include "tests/benchmarks/benches.h"
#include "tests/benchmarks/flags.h"

int main(int argc, char** argv) {
  using goplugin::benchmarks::Flags;
  const absl::optional<Flags> flags =
      goplugin::benchmarks::ParseFlags(argc, argv);
  if (!flags.has_value()) {
    std::fputs(goplugin::benchmarks::kUsage, stderr);
    return 64;
  }
  if (flags->bench == "batches") {
    goplugin::benchmarks::ServeBatches(*flags);
  } else if (flags->bench == "together") {
    goplugin::benchmarks::MeasureTogether(*flags);
  } else if (flags->bench == "replicas") {
    goplugin::benchmarks::MeasureReplicas(*flags);
  } else if (flags->bench == "overshoot") {
    goplugin::benchmarks::MeasureOvershoot(*flags);
  } else {
    goplugin::benchmarks::MeasureLaunches(*flags);
    goplugin::benchmarks::MeasureCalls(*flags);
    goplugin::benchmarks::MeasureOutput(*flags);
  }
  return 0;
}

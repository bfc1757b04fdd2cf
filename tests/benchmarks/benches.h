#ifndef TESTS_BENCHMARKS_BENCHES_H_
#define TESTS_BENCHMARKS_BENCHES_H_

#include "tests/benchmarks/flags.h"

// What cpp_host can measure. Each prints JSON lines; README.md tells the
// fields.
namespace goplugin::benchmarks {

// The counterparts of go_host.
void MeasureLaunches(const Flags& flags);
void MeasureCalls(const Flags& flags);
void MeasureOutput(const Flags& flags);

// Reads "CHANNEL get|put KEY SIZE COUNT" from stdin, line by line, and makes
// that many calls; CHANNEL is raw or, with a plugin, sdk, passed or relayed:
// over a passing channel to the sdk's. One who runs several such programs
// decides whose turn it is.
void ServeBatches(const Flags& flags);

// Launches flags.count plugins at the same time.
void MeasureTogether(const Flags& flags);

// Makes flags.calls calls for flags.key on a supervised plugin of flags.count
// replicas.
void MeasureReplicas(const Flags& flags);

// Launches a plugin that never answers, flags.count times.
void MeasureOvershoot(const Flags& flags);

}  // namespace goplugin::benchmarks

#endif  // TESTS_BENCHMARKS_BENCHES_H_

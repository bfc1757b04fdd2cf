#ifndef TESTS_BENCHMARKS_FLAGS_H_
#define TESTS_BENCHMARKS_FLAGS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/types/optional.h"

namespace goplugin::benchmarks {

// What cpp_host is told. Those of `-bench hosts` are the flags of go_host.
struct Flags {
  std::string bench = "hosts";
  int launches = 20;  // cold starts, one after the other; 0: none
  int calls = 5000;   // unary calls on one connection; 0: none
  int warmup = 500;   // calls before those
  int parallel = 1;   // callers at the same time
  int size = 16;      // bytes of the value
  // Plugins (together, replicas), launches (overshoot), bytes or lines
  // (output).
  int count = 10;
  std::string key = "bench";  // that replicas are asked for
  int deadline_ms = 500;      // of a launch (overshoot)
  bool auto_mtls = false;
  bool multiplex = false;
  std::string call = "get";
  std::string output;     // stdout, hclog or text: a flood of it; empty: none
  std::string directory;  // the plugin's working directory
  std::string socket;     // batches: no launch, a raw channel to this socket
  // Integers, over the SDK's or gRPC's own channel arguments.
  std::vector<std::pair<std::string, int>> arguments;
  std::vector<std::string> command;
};

// nullopt when the command line makes no sense.
absl::optional<Flags> ParseFlags(int argc, char** argv);

extern const char kUsage[];

}  // namespace goplugin::benchmarks

#endif  // TESTS_BENCHMARKS_FLAGS_H_

#ifndef TESTS_BENCHMARKS_REPORT_H_
#define TESTS_BENCHMARKS_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace goplugin::benchmarks {

std::int64_t Microseconds(absl::Duration duration);

// What this process has used so far, its children not included.
struct Usage {
  absl::Duration processor;
  std::int64_t waits = 0;  // a thread gave its processor up to wait

  static Usage Now();
};

// A flat JSON object that is printed as one line, at once.
class JsonLine {
 public:
  explicit JsonLine(const std::string& bench, bool auto_mtls);

  JsonLine& Add(const char* name, double value);
  JsonLine& Add(const char* name, std::int64_t value);
  // Text without characters that JSON would want escaped.
  JsonLine& Add(const char* name, const std::string& text);
  // count, min_us, p50_us, p90_us, p99_us, mean_us. Sorts `times`, of which
  // there is at least one.
  JsonLine& AddSummary(std::vector<absl::Duration>& times);
  void Print() const;

 private:
  std::string text_;
};

}  // namespace goplugin::benchmarks

#endif  // TESTS_BENCHMARKS_REPORT_H_

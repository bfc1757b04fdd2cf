#ifndef TESTS_BENCHMARKS_REPORT_H_
#define TESTS_BENCHMARKS_REPORT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace goplugin::benchmarks {

std::int64_t Microseconds(absl::Duration duration);

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

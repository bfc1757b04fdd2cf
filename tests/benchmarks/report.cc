#include "tests/benchmarks/report.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace goplugin::benchmarks {

std::int64_t Microseconds(absl::Duration duration) {
  return absl::ToInt64Microseconds(duration);
}

Usage Usage::Now() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return {absl::DurationFromTimeval(usage.ru_utime) +
              absl::DurationFromTimeval(usage.ru_stime),
          usage.ru_nvcsw};
}

JsonLine::JsonLine(const std::string& bench, bool auto_mtls)
    : text_(absl::StrCat(R"({"bench":")", bench,
                         R"(","host":"cpp","automtls":)",
                         auto_mtls ? "true" : "false")) {}

JsonLine& JsonLine::Add(const char* name, double value) {
  absl::StrAppendFormat(&text_, ",\"%s\":%.3f", name, value);
  return *this;
}

JsonLine& JsonLine::Add(const char* name, std::int64_t value) {
  absl::StrAppend(&text_, ",\"", name, "\":", value);
  return *this;
}

JsonLine& JsonLine::Add(const char* name, const std::string& text) {
  absl::StrAppend(&text_, ",\"", name, "\":\"", text, "\"");
  return *this;
}

JsonLine& JsonLine::AddSummary(std::vector<absl::Duration>& times) {
  std::sort(times.begin(), times.end());
  const auto at = [&times](double share) {
    const auto last = static_cast<double>(times.size() - 1);
    return absl::ToDoubleMicroseconds(times[static_cast<size_t>(share * last)]);
  };
  const absl::Duration sum =
      std::accumulate(times.begin(), times.end(), absl::ZeroDuration());
  Add("count", static_cast<std::int64_t>(times.size()));
  Add("min_us", at(0)).Add("p50_us", at(0.5)).Add("p90_us", at(0.9));
  return Add("p99_us", at(0.99))
      .Add("mean_us",
           absl::ToDoubleMicroseconds(sum) / static_cast<double>(times.size()));
}

void JsonLine::Print() const {
  std::printf("%s}\n", text_.c_str());
  std::fflush(stdout);
}

}  // namespace goplugin::benchmarks

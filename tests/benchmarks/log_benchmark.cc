// What the log room makes of a plugin's stderr: bytes to lines to entries. No
// process, no threads, no sink.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "goplugin/internal/log/line_splitter.h"
#include "goplugin/internal/log/log_parser.h"

namespace {

constexpr char kPlain[] = "listening for requests on the second socket\n";
constexpr char kBracket[] =
    "2024-05-01T12:00:00.000Z [INFO]  kv: stored a value: key=bench size=16\n";
constexpr char kHclog[] =
    R"({"@level":"info","@message":"stored a value",)"
    R"("@module":"kv","@timestamp":"2024-05-01T12:00:00.000000Z",)"
    R"("key":"bench","size":16})"
    "\n";

// A read of the pipe brings many lines.
constexpr size_t kReadBytes = 64 * 1024;

void ParseLines(benchmark::State& state, const char* line) {
  std::string bytes;
  while (bytes.size() < kReadBytes) bytes += line;
  goplugin::internal::LineSplitter splitter;
  goplugin::internal::LogParser parser;
  std::int64_t lines = 0;
  for (auto _ : state) {
    splitter.Feed(bytes, [&](absl::string_view text, bool continues) {
      benchmark::DoNotOptimize(parser.Parse(text, continues));
      ++lines;
    });
  }
  state.SetItemsProcessed(lines);
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(bytes.size()));
}

BENCHMARK_CAPTURE(ParseLines, plain, kPlain);
BENCHMARK_CAPTURE(ParseLines, bracket, kBracket);
BENCHMARK_CAPTURE(ParseLines, hclog_json, kHclog);

}  // namespace

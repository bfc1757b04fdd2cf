#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/benchmarks/benches.h"
#include "tests/benchmarks/report.h"
#include "tests/benchmarks/session.h"

namespace goplugin::benchmarks {
namespace {

// Makes `count` calls and tells how long each took.
std::vector<absl::Duration> CallMany(const Flags& flags, const Session& session,
                                     const std::string& key, int count) {
  const std::string value(flags.size, '\0');
  session.kv->Put(key, value);
  std::vector<absl::Duration> times(count);
  for (absl::Duration& time : times) {
    const absl::Duration begin = Clock();
    if (flags.call == "put") {
      session.kv->Put(key, value);
    } else if (flags.call == "get") {
      session.kv->Get(key);
    } else {
      Must(session.client->Ping(absl::Seconds(30)));
    }
    time = Clock() - begin;
  }
  return times;
}

}  // namespace

void MeasureLaunches(const Flags& flags) {
  std::vector<absl::Duration> replies;
  for (int i = 0; i < flags.launches; ++i) {
    const Session session = Launch(flags);
    const LaunchTimings timings = session.client->timings();
    const absl::Duration begin = Clock();
    // Forced or not: the row is about time.
    session.client->Shutdown().IgnoreError();
    const absl::Duration shutdown = Clock() - begin;
    JsonLine("cold_start", flags.auto_mtls)
        .Add("index", std::int64_t{i})
        .Add("spawn_us", Microseconds(timings.spawn))
        .Add("line_us", Microseconds(timings.line))
        .Add("connect_us", Microseconds(timings.connect))
        .Add("ready_us", Microseconds(timings.ready))
        .Add("reply_us", Microseconds(session.reply))
        .Add("shutdown_us", Microseconds(shutdown))
        .Print();
    replies.push_back(session.reply);
  }
  if (replies.empty()) return;
  JsonLine("cold_start_summary", flags.auto_mtls).AddSummary(replies).Print();
}

void MeasureCalls(const Flags& flags) {
  if (flags.calls == 0) return;
  const Session session = Launch(flags);
  CallMany(flags, session, "warmup", flags.warmup);
  std::vector<std::vector<absl::Duration>> each(flags.parallel);
  std::vector<std::thread> callers;
  const absl::Duration begin = Clock();
  for (int i = 0; i < flags.parallel; ++i) {
    callers.emplace_back([&flags, &session, &each, i] {
      each[i] = CallMany(flags, session, absl::StrCat("bench", i),
                         flags.calls / flags.parallel);
    });
  }
  for (std::thread& caller : callers) caller.join();
  const absl::Duration wall = Clock() - begin;
  std::vector<absl::Duration> all;
  for (const std::vector<absl::Duration>& times : each) {
    all.insert(all.end(), times.begin(), times.end());
  }
  if (all.empty()) return;
  JsonLine("unary", flags.auto_mtls)
      .Add("call", flags.call)
      .Add("size", std::int64_t{flags.size})
      .Add("parallel", std::int64_t{flags.parallel})
      .AddSummary(all)
      .Add("per_second",
           static_cast<double>(all.size()) / absl::ToDoubleSeconds(wall))
      .Print();
}

}  // namespace goplugin::benchmarks

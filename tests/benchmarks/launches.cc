#include <dirent.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/benchmarks/benches.h"
#include "tests/benchmarks/report.h"
#include "tests/benchmarks/session.h"

namespace goplugin::benchmarks {
namespace {

// A size of this process by its name in /proc/self/status, in KiB.
std::int64_t MemoryKib(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::int64_t kib = 0;
  while (status >> word) {
    if (word == name + ":" && status >> kib) break;
  }
  return kib;
}

// Of this process, less the one that counts them.
std::int64_t CountDescriptors() {
  std::int64_t count = -1;
  DIR* descriptors = opendir("/proc/self/fd");
  while (const dirent* descriptor = readdir(descriptors)) {
    if (descriptor->d_name[0] != '.') ++count;
  }
  closedir(descriptors);
  return count;
}

struct Threads {
  std::int64_t all = 0;
  std::int64_t sdk = 0;
};

Threads CountThreads() {
  Threads count;
  DIR* tasks = opendir("/proc/self/task");
  while (const dirent* task = readdir(tasks)) {
    std::ifstream file(absl::StrCat("/proc/self/task/", task->d_name, "/comm"));
    std::string name;
    if (task->d_name[0] == '.' || !(file >> name)) continue;
    ++count.all;
    if (absl::StartsWith(name, "goplugin-")) ++count.sdk;
  }
  closedir(tasks);
  return count;
}

}  // namespace

void MeasureTogether(const Flags& flags) {
  const std::int64_t rss_before = MemoryKib("VmRSS");
  const std::int64_t descriptors_before = CountDescriptors();
  std::vector<Session> sessions(flags.count);
  std::vector<std::thread> callers;
  const Usage before = Usage::Now();
  const absl::Duration begin = Clock();
  for (Session& session : sessions) {
    callers.emplace_back([&flags, &session] { session = Launch(flags); });
  }
  for (std::thread& caller : callers) caller.join();
  const absl::Duration wall = Clock() - begin;
  const Usage after = Usage::Now();
  const Threads threads = CountThreads();
  const std::int64_t descriptors = CountDescriptors() - descriptors_before;
  const std::int64_t rss = MemoryKib("VmRSS");

  std::vector<Client*> clients;
  clients.reserve(sessions.size());
  for (Session& session : sessions) clients.push_back(session.client.get());
  const absl::Duration shutdown_begin = Clock();
  Client::ShutdownAll(clients, absl::Seconds(60)).IgnoreError();
  const absl::Duration shutdown = Clock() - shutdown_begin;
  const Usage end = Usage::Now();
  JsonLine("together", flags.auto_mtls)
      .Add("plugins", std::int64_t{flags.count})
      .Add("wall_us", Microseconds(wall))
      .Add("host_cpu_us", Microseconds(after.processor - before.processor))
      .Add("shutdown_us", Microseconds(shutdown))
      .Add("shutdown_cpu_us", Microseconds(end.processor - after.processor))
      .Add("descriptors", descriptors)
      .Add("threads", threads.all)
      .Add("sdk_threads", threads.sdk)
      .Add("rss_before_kib", rss_before)
      .Add("rss_kib", rss)
      .Print();
}

void MeasureOvershoot(const Flags& flags) {
  ClientOptions options = OptionsOf(flags);
  options.start_timeout = absl::Milliseconds(flags.deadline_ms);
  std::vector<absl::Duration> times;
  for (int i = 0; i < flags.count; ++i) {
    const absl::Duration begin = Clock();
    const absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Launch(CommandOf(flags), options);
    times.push_back(Clock() - begin - options.start_timeout);
    if (client.ok()) Must(absl::InternalError("the silent plugin answered"));
  }
  if (times.empty()) return;
  JsonLine line("overshoot", flags.auto_mtls);
  line.AddSummary(times);
  line.Add("max_us", absl::ToDoubleMicroseconds(times.back())).Print();
}

}  // namespace goplugin::benchmarks

#ifndef EXAMPLES_INSPECT_PLUGIN_OUTPUT_H_
#define EXAMPLES_INSPECT_PLUGIN_OUTPUT_H_

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "examples/inspect/report.pb.h"
#include "goplugin/client_options.h"
#include "goplugin/log_sink.h"

// Keep what is heard of the plugin for the report, the newest of it when it is
// much. Thread-safe: the SDK calls them on threads of its own.

namespace inspect {

// The steps of the launch.
class PhaseKeeper {
 public:
  void Note(goplugin::LaunchPhase phase, absl::Duration since_launch);
  void AddTo(Report* report) const;

 private:
  mutable std::mutex mutex_;
  std::vector<Phase> phases_;
};

class LogKeeper final : public goplugin::LogSink {
 public:
  void Log(const goplugin::LogEntry& entry) override;
  void AddTo(Report* report) const;

 private:
  mutable std::mutex mutex_;
  std::deque<LogEntry> entries_;
  std::uint64_t left_out_ = 0;
};

class StdioKeeper final : public goplugin::StdioSink {
 public:
  void Write(const goplugin::StdioChunk& chunk) override;
  void AddTo(Report* report) const;

 private:
  // The name of a stream, and whether it is the process's own.
  using Stream = std::pair<std::string, bool>;

  mutable std::mutex mutex_;
  std::map<Stream, std::string> texts_;
};

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_PLUGIN_OUTPUT_H_

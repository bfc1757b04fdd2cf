#include "examples/inspect/plugin_output.h"

#include <cstddef>
#include <mutex>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "examples/inspect/error.h"
#include "goplugin/log_sink.h"

namespace inspect {
namespace {

constexpr std::size_t kMostEntries = 1000;
constexpr std::size_t kMostBytes = std::size_t{64} << 10;

}  // namespace

void PhaseKeeper::Note(goplugin::LaunchPhase phase,
                       absl::Duration since_launch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  phases_.emplace_back();
  phases_.back().set_name(goplugin::LaunchPhaseName(phase));
  phases_.back().set_milliseconds(absl::ToDoubleMilliseconds(since_launch));
}

void PhaseKeeper::AddTo(Report* report) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const Phase& phase : phases_) *report->add_phases() = phase;
}

void LogKeeper::Log(const goplugin::LogEntry& entry) {
  LogEntry kept;
  kept.set_level(goplugin::LogLevelName(entry.level));
  kept.set_module(Text(entry.module));
  kept.set_message(Text(entry.message));
  for (const auto& field : entry.fields) {
    (*kept.mutable_fields())[Text(field.first)] = Text(field.second);
  }
  if (entry.timestamp.has_value()) {
    kept.set_time(absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", *entry.timestamp,
                                   absl::UTCTimeZone()));
  }
  kept.set_sdk(entry.source == goplugin::LogEntry::Source::kSdk);

  const std::lock_guard<std::mutex> lock(mutex_);
  entries_.push_back(std::move(kept));
  if (entries_.size() > kMostEntries) {
    entries_.pop_front();
    ++left_out_;
  }
}

void LogKeeper::AddTo(Report* report) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const LogEntry& entry : entries_) *report->add_logs() = entry;
  report->set_logs_left_out(left_out_);
}

void StdioKeeper::Write(const goplugin::StdioChunk& chunk) {
  const bool out = chunk.stream == goplugin::StdioChunk::Stream::kStdout;
  const std::lock_guard<std::mutex> lock(mutex_);
  std::string& text = texts_[{out ? "stdout" : "stderr", chunk.raw}];
  text.append(chunk.data.data(), chunk.data.size());
  if (text.size() > kMostBytes) text.erase(0, text.size() - kMostBytes);
}

void StdioKeeper::AddTo(Report* report) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& entry : texts_) {
    Output* output = report->add_output();
    output->set_stream(entry.first.first);
    output->set_raw(entry.first.second);
    output->set_text(Text(entry.second));
  }
}

}  // namespace inspect

#include "goplugin/internal/start/plugin_output.h"

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"
#include "goplugin/internal/loop/callback_pool.h"
#include "goplugin/log_sink.h"

namespace goplugin::internal {
namespace {

// A read of the pipe brings fewer, unless they are very short. Bounds what a
// plugin costs that floods and then says nothing more.
constexpr size_t kMaxSpareEntries = 4096;

}  // namespace

std::vector<LogEntry> PluginOutput::SpareBatch::Take() {
  std::vector<LogEntry> batch;
  {
    absl::MutexLock lock(&mutex_);
    batch.swap(batch_);
  }
  batch.clear();
  return batch;
}

void PluginOutput::SpareBatch::Give(std::vector<LogEntry> batch) {
  // With the first small batch behind a flood its memory goes.
  const bool in_use = batch.size() >= batch.capacity() / 4;
  if (!in_use || batch.capacity() > kMaxSpareEntries) return;
  absl::MutexLock lock(&mutex_);
  batch_.swap(batch);
}

PluginOutput::PluginOutput(OutputSinks sinks,
                           std::shared_ptr<CallbackQueue> queue)
    : sinks_(std::move(sinks)), queue_(std::move(queue)) {}

void PluginOutput::OnStderr(absl::string_view bytes) {
  Deliver(sinks_.stderr_raw, StdioChunk::Stream::kStderr, /*raw=*/true,
          std::string(bytes));
  splitter_.Feed(bytes, [this](absl::string_view line, bool continues) {
    Add(line, continues);
  });
  Flush();
}

void PluginOutput::FinishStderr() {
  splitter_.Finish(
      [this](absl::string_view line, bool continues) { Add(line, continues); });
  Flush();
}

void PluginOutput::Add(absl::string_view line, bool continues) {
  const bool piece = in_long_line_ || continues;
  in_long_line_ = continues;
  // The last piece of a long line may be empty, and still ends it.
  if (line.empty() && !piece) return;
  tail_.Append(line);
  LogEntry entry = parser_.Parse(line, piece);
  if (sinks_.log == nullptr) return;
  entry.continues = continues;
  if (batch_.empty()) batch_ = spare_->Take();
  batch_bytes_ += sizeof(LogEntry) + line.size();
  batch_.push_back(std::move(entry));
}

void PluginOutput::Flush() {
  if (batch_.empty()) return;
  const size_t entries = batch_.size();
  queue_->PostDroppable(
      entries, batch_bytes_,
      [sink = sinks_.log, spare = spare_, batch = std::move(batch_)]() mutable {
        for (const LogEntry& entry : batch) sink->Log(entry);
        spare->Give(std::move(batch));
      });
  batch_.clear();
  batch_bytes_ = 0;
}

void PluginOutput::OnStdout(absl::string_view bytes) {
  Deliver(sinks_.stdio, StdioChunk::Stream::kStdout, /*raw=*/true,
          std::string(bytes));
}

void PluginOutput::OnReadError(absl::string_view stream, int error) {
  Note(LogLevel::kWarn,
       absl::StrCat("reading the plugin's ", stream,
                    " ended: ", std::strerror(error), "; the plugin runs on"));
}

void PluginOutput::OnStdio(StdioChunk::Stream stream, std::string bytes,
                           std::shared_ptr<void> held) {
  Deliver(sinks_.stdio, stream, /*raw=*/false, std::move(bytes),
          std::move(held));
}

void PluginOutput::Deliver(const std::shared_ptr<StdioSink>& sink,
                           StdioChunk::Stream stream, bool raw,
                           std::string bytes, std::shared_ptr<void> held) {
  if (sink == nullptr || bytes.empty()) return;
  const size_t size = bytes.size();
  queue_->PostDroppable(
      1, size,
      [sink, stream, raw, bytes = std::move(bytes), held = std::move(held)]() {
        StdioChunk chunk;
        chunk.stream = stream;
        chunk.raw = raw;
        chunk.data = bytes;
        sink->Write(chunk);
      });
}

void PluginOutput::Note(LogLevel level, std::string message) {
  if (sinks_.log == nullptr) return;
  queue_->Post(
      [sink = sinks_.log, entry = SdkEntry(level, std::move(message))]() {
        sink->Log(entry);
      });
}

LogEntry PluginOutput::SdkEntry(LogLevel level, std::string message) {
  LogEntry entry;
  entry.source = LogEntry::Source::kSdk;
  entry.level = level;
  entry.module = "goplugin";
  entry.message = std::move(message);
  return entry;
}

void PluginOutput::AddEvidence(ErrorDetails& details) const {
  details.stderr_tail = tail_.ToString();
  details.panic = parser_.panic();
}

}  // namespace goplugin::internal

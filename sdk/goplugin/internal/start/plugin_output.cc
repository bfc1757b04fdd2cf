#include "goplugin/internal/start/plugin_output.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/text/utf8.h"
#include "goplugin/log_sink.h"

namespace goplugin::internal {
namespace {

// StdioSink promises it. What comes over GRPCStdio is cut by its stream.
constexpr size_t kPiece = size_t{256} * 1024;

}  // namespace

PluginOutput::PluginOutput(OutputSinks sinks, EventLoop& loop, Pool& pool,
                           std::shared_ptr<Lane> lane)
    : sinks_(std::move(sinks)),
      lane_(std::move(lane)),
      pipeline_(std::make_shared<LogPipeline>(loop, pool, sinks_.log, lane_)) {}

void PluginOutput::OnStderr(absl::string_view bytes) {
  DeliverRaw(sinks_.stderr_raw, StdioChunk::Stream::kStderr, bytes);
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

void PluginOutput::FinishStderr(absl::AnyInvocable<void()> done) {
  FinishStderr();
  pipeline_->Finish(tail_.ToString(), std::move(done));
}

bool PluginOutput::HasRoom(absl::AnyInvocable<void()> resume) {
  return pipeline_->HasRoom(std::move(resume));
}

void PluginOutput::Add(absl::string_view line, bool continues) {
  const bool piece = in_long_line_ || continues;
  in_long_line_ = continues;
  // The last piece of a long line may be empty, and still ends it.
  if (line.empty() && !piece) return;
  if (batch_.lines.empty()) batch_ = pipeline_->NewBatch();
  batch_.text.append(line.data(), line.size());
  // Not as one value: it is written in parts, and to copy it as a whole would
  // wait for them.
  LineBatch::Line& added = batch_.lines.emplace_back();
  added.size = line.size();
  added.piece = piece;
  added.continues = continues;
}

void PluginOutput::Flush() {
  if (batch_.lines.empty()) return;
  KeepTail();
  pipeline_->Add(std::exchange(batch_, LineBatch()));
}

// Of a flood, only the last lines can be of it.
void PluginOutput::KeepTail() {
  const std::vector<LineBatch::Line>& lines = batch_.lines;
  size_t first = lines.size();
  size_t bytes = 0;
  while (first > 0 && bytes <= StderrTail::kMaxBytes &&
         lines.size() - first < StderrTail::kMaxLines) {
    bytes += lines[--first].size;
  }
  absl::string_view rest = batch_.text;
  rest.remove_prefix(rest.size() - bytes);
  for (; first < lines.size(); ++first) {
    tail_.Append(rest.substr(0, lines[first].size));
    rest.remove_prefix(lines[first].size);
  }
}

void PluginOutput::OnStdout(absl::string_view bytes) {
  DeliverRaw(sinks_.stdio, StdioChunk::Stream::kStdout, bytes);
}

void PluginOutput::OnReadError(absl::string_view stream, int error) {
  Note(LogLevel::kWarn,
       absl::StrCat("reading the plugin's ", stream,
                    " ended: ", std::strerror(error), "; the plugin runs on"));
}

void PluginOutput::OnStdio(StdioChunk::Stream stream, std::string bytes,
                           std::shared_ptr<void> held, bool droppable) {
  if (sinks_.stdio == nullptr || bytes.empty()) return;
  const size_t size = bytes.size();
  auto write = [sink = sinks_.stdio, stream, bytes = std::move(bytes),
                held = std::move(held)] {
    sink->Write({stream, /*raw=*/false, bytes});
  };
  // Not even for a flood of log lines.
  if (!droppable) return lane_->Post(std::move(write));
  lane_->PostDroppable(1, size, std::move(write));
}

// After a launch, and after the plugin's end, much may come at once.
void PluginOutput::DeliverRaw(const std::shared_ptr<StdioSink>& sink,
                              StdioChunk::Stream stream,
                              absl::string_view bytes) {
  if (sink == nullptr) return;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(kPiece, bytes.size()))) {
    std::string piece(bytes.substr(0, kPiece));
    const size_t size = piece.size();
    lane_->PostDroppable(1, size, [sink, stream, piece = std::move(piece)] {
      sink->Write({stream, /*raw=*/true, piece});
    });
  }
}

void PluginOutput::Note(LogLevel level, std::string message) {
  if (sinks_.log == nullptr) return;
  const size_t size = sizeof(LogEntry) + message.size();
  const bool firm = firm_notes_->fetch_add(1) < kMaxFirmNotes;
  if (!firm) firm_notes_->fetch_sub(1);
  auto tell = [sink = sinks_.log, firm_notes = firm_notes_, firm,
               entry = SdkEntry(level, std::move(message))] {
    if (firm) firm_notes->fetch_sub(1);
    sink->Log(entry);
  };
  if (firm) return lane_->Post(std::move(tell));
  lane_->PostDroppable(1, size, std::move(tell));
}

LogEntry PluginOutput::SdkEntry(LogLevel level, std::string message) {
  LogEntry entry;
  entry.source = LogEntry::Source::kSdk;
  entry.level = level;
  entry.module = "goplugin";
  entry.message =
      IsValidUtf8(message) ? std::move(message) : ReplaceInvalidUtf8(message);
  return entry;
}

void PluginOutput::AddEvidence(ErrorDetails& details) const {
  details.stderr_tail = pipeline_->tail();
  // It has not ended: what it says is shown as it is.
  if (details.stderr_tail.empty()) details.stderr_tail = tail_.ToString();
  details.panic = pipeline_->panic();
}

}  // namespace goplugin::internal

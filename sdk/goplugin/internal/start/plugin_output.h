#ifndef GOPLUGIN_INTERNAL_START_PLUGIN_OUTPUT_H_
#define GOPLUGIN_INTERNAL_START_PLUGIN_OUTPUT_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"
#include "goplugin/internal/log/line_splitter.h"
#include "goplugin/internal/log/stderr_tail.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/start/log_pipeline.h"
#include "goplugin/log_sink.h"

namespace goplugin::internal {

// Where the caller wants a plugin's output. Any may be null.
struct OutputSinks {
  std::shared_ptr<LogSink> log;
  std::shared_ptr<StdioSink> stderr_raw;
  std::shared_ptr<StdioSink> stdio;
};

// What a plugin writes, on its way to the sinks, and what is kept of it for
// errors. Bytes go in on the loop's thread (stdio: any thread), sinks are
// called on the client's callback lane, in order. Lines are only cut on the
// loop: see LogPipeline.
class PluginOutput {
 public:
  // Notes that may wait for the sink and are never dropped; later ones are,
  // like log entries.
  static constexpr int kMaxFirmNotes = 64;

  // `lane` is the sinks', and one of `pool`.
  PluginOutput(OutputSinks sinks, EventLoop& loop, Pool& pool,
               std::shared_ptr<Lane> lane);

  // From the process's own descriptors.
  void OnStderr(absl::string_view bytes);
  void OnStdout(absl::string_view bytes);
  // Whether more of stderr may be read now. If not, `resume` is called on the
  // loop's thread when it may.
  bool HasRoom(absl::AnyInvocable<void()> resume);
  // The last line, if it had no newline.
  void FinishStderr();
  // The same; calls `done` on the loop's thread when all of it is parsed, so
  // that errors know of a panic, and in the sink's lane.
  void FinishStderr(absl::AnyInvocable<void()> done);
  // "stdout" or "stderr" can't be read any more: said in an entry.
  void OnReadError(absl::string_view stream, int error);
  // From GRPCStdio. `held` lives until the sink has taken the bytes, or they
  // were dropped, which they may be if `droppable`. Thread-safe.
  void OnStdio(StdioChunk::Stream stream, std::string bytes,
               std::shared_ptr<void> held, bool droppable);
  // A remark of the SDK's own, in any bytes. Thread-safe.
  void Note(LogLevel level, std::string message);

  // Adds what stderr said to an error.
  void AddEvidence(ErrorDetails& details) const;

  static LogEntry SdkEntry(LogLevel level, std::string message);

 private:
  void Add(absl::string_view line, bool continues);
  void Flush();
  void KeepTail();
  // From the process's own descriptors.
  void DeliverRaw(const std::shared_ptr<StdioSink>& sink,
                  StdioChunk::Stream stream, absl::string_view bytes);

  const OutputSinks sinks_;
  const std::shared_ptr<Lane> lane_;
  const std::shared_ptr<LogPipeline> pipeline_;
  LineSplitter splitter_;
  StderrTail tail_;
  // Whether the line being read is a piece of a longer one.
  bool in_long_line_ = false;
  // The lines of the bytes at hand.
  LineBatch batch_;
  // Shared with those that wait.
  const std::shared_ptr<std::atomic<int>> firm_notes_ =
      std::make_shared<std::atomic<int>>(0);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_PLUGIN_OUTPUT_H_

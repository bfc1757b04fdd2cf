#ifndef GOPLUGIN_INTERNAL_START_PLUGIN_OUTPUT_H_
#define GOPLUGIN_INTERNAL_START_PLUGIN_OUTPUT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/error.h"
#include "goplugin/internal/log/line_splitter.h"
#include "goplugin/internal/log/log_parser.h"
#include "goplugin/internal/log/stderr_tail.h"
#include "goplugin/internal/loop/callback_pool.h"
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
// called on the client's callback queue, in order.
class PluginOutput {
 public:
  PluginOutput(OutputSinks sinks, std::shared_ptr<CallbackQueue> queue);

  // From the process's own descriptors.
  void OnStderr(absl::string_view bytes);
  void OnStdout(absl::string_view bytes);
  // The last line, if it had no newline.
  void FinishStderr();
  // "stdout" or "stderr" can't be read any more: said in an entry.
  void OnReadError(absl::string_view stream, int error);
  // From GRPCStdio. `held` lives until the sink has taken the bytes, or they
  // were dropped. Thread-safe.
  void OnStdio(StdioChunk::Stream stream, std::string bytes,
               std::shared_ptr<void> held);
  // A remark of the SDK's own. Thread-safe.
  void Note(LogLevel level, std::string message);

  // Adds what stderr said to an error.
  void AddEvidence(ErrorDetails& details) const;

  static LogEntry SdkEntry(LogLevel level, std::string message);

 private:
  // A batch that the sink has seen. In a flood the loop's thread takes it back,
  // for its memory: were it freed on the sink's thread, both would wait for
  // malloc's lock most of the time. Thread-safe.
  class SpareBatch {
   public:
    std::vector<LogEntry> Take();
    void Give(std::vector<LogEntry> batch);

   private:
    absl::Mutex mutex_;
    std::vector<LogEntry> batch_ ABSL_GUARDED_BY(mutex_);
  };

  void Add(absl::string_view line, bool continues);
  void Flush();
  void Deliver(const std::shared_ptr<StdioSink>& sink,
               StdioChunk::Stream stream, bool raw, std::string bytes,
               std::shared_ptr<void> held = nullptr);

  const OutputSinks sinks_;
  const std::shared_ptr<CallbackQueue> queue_;
  LineSplitter splitter_;
  LogParser parser_;
  StderrTail tail_;
  // Whether the line being read is a piece of a longer one.
  bool in_long_line_ = false;
  // Entries of the bytes at hand, and their size.
  std::vector<LogEntry> batch_;
  size_t batch_bytes_ = 0;
  const std::shared_ptr<SpareBatch> spare_ = std::make_shared<SpareBatch>();
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_PLUGIN_OUTPUT_H_

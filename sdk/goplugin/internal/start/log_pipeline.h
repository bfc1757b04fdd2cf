#ifndef GOPLUGIN_INTERNAL_START_LOG_PIPELINE_H_
#define GOPLUGIN_INTERNAL_START_LOG_PIPELINE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/log/log_parser.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/log_sink.h"

namespace goplugin::internal {

// Buffers that were used up and may be filled again. In a flood their memory
// goes to and fro: were it freed on the other thread, both would wait for
// malloc's lock most of the time. As many as are on their way while nobody is
// late. Thread-safe.
template <typename T>
class Spares {
 public:
  T Take() {
    MutexLock lock(mutex_);
    if (buffers_.empty()) return T();
    T buffer = std::move(buffers_.back());
    buffers_.pop_back();
    return buffer;
  }
  // One too many is freed outside of the lock.
  void Give(T buffer) {
    MutexLock lock(mutex_);
    if (buffers_.size() < kMost) buffers_.push_back(std::move(buffer));
  }

 private:
  static constexpr size_t kMost = 4;

  absl::Mutex mutex_;
  std::vector<T> buffers_ ABSL_GUARDED_BY(mutex_);
};

// Lines as the loop cuts them, in one piece of memory.
struct LineBatch {
  struct Line {
    size_t size;
    bool piece;      // of a longer line
    bool continues;  // in the next one
  };
  std::string text;
  std::vector<Line> lines;

  void Clear() {
    text.clear();
    lines.clear();
  }
};

// The lines of one plugin's stderr, on their way to entries and to the sink.
// They are parsed on a lane of their own, neither on the loop, whose other
// plugins would wait, nor on the sink's lane, which may be stuck: then entries
// are dropped there, and the plugin and its errors know nothing of it.
//
// Given lines on the loop's thread. Made with std::make_shared.
class LogPipeline : public std::enable_shared_from_this<LogPipeline> {
 public:
  // With so much waiting for the parser there is no room for more.
  static constexpr size_t kMaxWaiting = size_t{1024} * 1024;
  // How long Finish waits while all of the pool's threads are stuck.
  static constexpr absl::Duration kLongestFinish = absl::Seconds(1);

  // `sink` may be null: then only the panic is looked for.
  LogPipeline(EventLoop& loop, Pool& pool, std::shared_ptr<LogSink> sink,
              std::shared_ptr<Lane> sink_lane);

  // An empty batch to fill.
  LineBatch NewBatch() { return spare_lines_.Take(); }
  void Add(LineBatch batch);

  // Whether the reader may go on. If not, `resume` is called later, on the
  // loop's thread. One at a time.
  bool HasRoom(absl::AnyInvocable<void()> resume);

  // Calls `done` on the loop's thread when all that was added is in the sink's
  // lane and `tail`, the last of it, is known in words; or after
  // kLongestFinish.
  void Finish(std::string tail, absl::AnyInvocable<void()> done);

  // Of the lines parsed so far; thread-safe.
  std::string panic() const;
  // ReadableTail of what Finish was given; "" until then. Thread-safe.
  std::string tail() const;

 private:
  struct Ending;

  void Parse(LineBatch batch);
  void HandOn(std::vector<LogEntry> entries, size_t count, size_t bytes);
  void Release(size_t bytes);
  void SetTail(std::string tail);

  EventLoop& loop_;
  const std::shared_ptr<Lane> parsing_;
  const std::shared_ptr<LogSink> sink_;
  const std::shared_ptr<Lane> sink_lane_;
  Spares<LineBatch> spare_lines_;
  // Entries as new, of which some have memory for a short message.
  Spares<std::vector<LogEntry>> spare_entries_;

  mutable absl::Mutex parser_mutex_;
  LogParser parser_ ABSL_GUARDED_BY(parser_mutex_);
  std::string tail_ ABSL_GUARDED_BY(parser_mutex_);

  absl::Mutex room_mutex_;
  size_t waiting_ ABSL_GUARDED_BY(room_mutex_) = 0;
  absl::AnyInvocable<void()> resume_ ABSL_GUARDED_BY(room_mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_LOG_PIPELINE_H_

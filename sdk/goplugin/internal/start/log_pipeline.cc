#include "goplugin/internal/start/log_pipeline.h"

#include <utility>

#include "goplugin/internal/log/stderr_tail.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// A read of the pipe brings fewer, unless they are very short. Bounds what a
// plugin costs that floods and then says nothing more.
constexpr size_t kMaxSpareEntries = 4096;
constexpr size_t kMaxSpareBytes = size_t{256} * 1024;
constexpr size_t kMaxSpareMessage = 128;

// What they take while they wait for the parser, in a callback of its lane.
size_t BytesOf(const LineBatch& batch) {
  return batch.text.size() + batch.lines.size() * sizeof(LineBatch::Line) +
         Lane::kCallbackBytes;
}

// With the first small uses behind a flood the memory goes.
bool WorthKeeping(size_t used, size_t capacity, size_t most) {
  return used >= capacity / 4 && capacity <= most;
}

// Makes it as new, but for the memory of a short message.
void Reset(LogEntry& entry) {
  // All there are: a new one does not compile.
  auto& [source, level, message, fields, module, timestamp, continues] = entry;
  source = LogEntry::Source::kPlugin;
  level = LogLevel::kDebug;
  message.clear();
  if (message.capacity() > kMaxSpareMessage) message.shrink_to_fit();
  if (!fields.empty()) fields = {};
  if (!module.empty()) module = std::string();
  timestamp.reset();
  continues = false;
}

}  // namespace

// On the loop, but for its way over the pool.
struct LogPipeline::Ending {
  Ending(EventLoop& loop, absl::AnyInvocable<void()> finished)
      : done(std::move(finished)), deadline(loop) {}

  void Tell() {
    deadline.Cancel();
    if (done == nullptr) return;
    absl::AnyInvocable<void()> finished = std::move(done);
    done = nullptr;
    finished();
  }

  absl::AnyInvocable<void()> done;
  Timer deadline;
};

LogPipeline::LogPipeline(EventLoop& loop, Pool& pool,
                         std::shared_ptr<LogSink> sink,
                         std::shared_ptr<Lane> sink_lane)
    : loop_(loop),
      parsing_(Lane::Create(pool)),
      sink_(std::move(sink)),
      sink_lane_(std::move(sink_lane)) {}

void LogPipeline::Add(LineBatch batch) {
  {
    MutexLock lock(room_mutex_);
    waiting_ += BytesOf(batch);
  }
  parsing_->Post(
      [self = shared_from_this(), batch = std::move(batch)]() mutable {
        self->Parse(std::move(batch));
      });
}

void LogPipeline::Parse(LineBatch batch) {
  const size_t size = BytesOf(batch);
  // Of the entries, and of all their texts, which are parts of the lines.
  size_t bytes = batch.text.size();
  std::vector<LogEntry> entries = spare_entries_.Take();
  if (entries.size() < batch.lines.size()) entries.resize(batch.lines.size());
  size_t count = 0;
  absl::string_view rest = batch.text;
  {
    MutexLock lock(parser_mutex_);
    for (const LineBatch::Line& line : batch.lines) {
      LogEntry& entry = entries[count];
      parser_.Parse(rest.substr(0, line.size), line.piece, &entry);
      rest.remove_prefix(line.size);
      entry.continues = line.continues;
      bytes += sizeof entry + entry.fields.size() * sizeof entry.fields[0];
      if (sink_ == nullptr) {
        Reset(entry);
      } else {
        ++count;
      }
    }
  }
  if (count > 0) HandOn(std::move(entries), count, bytes);
  if (WorthKeeping(batch.text.size(), batch.text.capacity(), kMaxSpareBytes)) {
    batch.Clear();
    spare_lines_.Give(std::move(batch));
  }
  Release(size);
}

void LogPipeline::HandOn(std::vector<LogEntry> entries, size_t count,
                         size_t bytes) {
  sink_lane_->PostDroppable(
      count, bytes,
      [self = shared_from_this(), entries = std::move(entries),
       count]() mutable {
        for (size_t i = 0; i < count; ++i) {
          self->sink_->Log(entries[i]);
          // A slow sink may take seconds for all of them.
          self->sink_lane_->AddProgress();
          Reset(entries[i]);
        }
        if (WorthKeeping(count, entries.size(), kMaxSpareEntries)) {
          self->spare_entries_.Give(std::move(entries));
        }
      });
}

void LogPipeline::Release(size_t bytes) {
  MutexLock lock(room_mutex_);
  waiting_ -= bytes;
  if (resume_ == nullptr || waiting_ > kMaxWaiting / 2) return;
  loop_.Post(std::exchange(resume_, nullptr));
}

bool LogPipeline::HasRoom(absl::AnyInvocable<void()> resume) {
  MutexLock lock(room_mutex_);
  if (waiting_ < kMaxWaiting) return true;
  resume_ = std::move(resume);
  return false;
}

void LogPipeline::Finish(std::string tail, absl::AnyInvocable<void()> done) {
  auto ending = std::make_shared<Ending>(loop_, std::move(done));
  ending->deadline.Start(kLongestFinish,
                         [ending = ending.get()] { ending->Tell(); });
  // Handed on, not shared: timers must be destroyed on the loop.
  parsing_->Post([self = shared_from_this(), tail = std::move(tail),
                  ending = std::move(ending)]() mutable {
    self->SetTail(ReadableTail(tail));
    self->loop_.Post([ending = std::move(ending)] { ending->Tell(); });
  });
}

void LogPipeline::SetTail(std::string tail) {
  MutexLock lock(parser_mutex_);
  tail_ = std::move(tail);
}

std::string LogPipeline::tail() const {
  MutexLock lock(parser_mutex_);
  return tail_;
}

std::string LogPipeline::panic() const {
  MutexLock lock(parser_mutex_);
  return parser_.panic();
}

}  // namespace goplugin::internal

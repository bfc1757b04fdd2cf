#ifndef GOPLUGIN_INTERNAL_LOOP_EVENT_LOOP_H_
#define GOPLUGIN_INTERNAL_LOOP_EVENT_LOOP_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace goplugin::internal {

// The one thread that watches every plugin: pipes, process descriptors and
// deadlines. It never blocks and never runs user code. Asio stays behind this
// header.
//
// Post is thread-safe. Timers, watches and readers are made, used and destroyed
// on the loop's own thread, and before the loop.
class EventLoop {
 public:
  EventLoop();
  // Stops and joins. What was posted and did not run is dropped.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // kResources where the system gave no thread: nothing that is posted runs.
  const absl::Status& status() const;

  // Tasks run in the order of their posts, whoever posts. Each is destroyed
  // before the next one runs.
  void Post(absl::AnyInvocable<void()> task);

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// Runs a task later, by the monotonic clock.
class Timer {
 public:
  explicit Timer(EventLoop& loop);
  // Cancels.
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Replaces what was started before. InfiniteDuration never fires.
  void Start(absl::Duration delay, absl::AnyInvocable<void()> task);
  // After it, the task does not run.
  void Cancel();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Tells that a descriptor can be read or written, as often as it is asked to.
// Where the system does not let it be watched, it is told later, by 10 ms.
class DescriptorWatch {
 public:
  struct Callbacks {
    absl::AnyInvocable<void()> on_readable;
    absl::AnyInvocable<void()> on_writable;
  };

  // Borrows `descriptor`, which must outlive the watch.
  DescriptorWatch(EventLoop& loop, int descriptor, Callbacks callbacks);
  // No callback runs after. May be called from one.
  ~DescriptorWatch();
  DescriptorWatch(const DescriptorWatch&) = delete;
  DescriptorWatch& operator=(const DescriptorWatch&) = delete;

  // One callback each, never from inside; asking again before it has come
  // changes nothing. An error or a hang-up counts as both.
  void WaitReadable();
  void WaitWritable();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Reads what a process writes, and hands it on as it comes.
class OutputReader {
 public:
  struct Callbacks {
    // Bytes are valid during the call.
    absl::AnyInvocable<void(absl::string_view)> on_data;
    // Called once, with 0 at the end of the file or the errno of a failed read.
    absl::AnyInvocable<void(int)> on_end;
  };

  virtual ~OutputReader() = default;

  // Reads no more, but for Drain, until Resume. From callbacks, too.
  virtual void Pause() = 0;
  virtual void Resume() = 0;

  // Hands over what is there to be read, at most `max_bytes`, without waiting
  // for more. For the last words of a process that is gone while somebody else
  // keeps the pipe open. `done` is called once, after the last of it, on the
  // loop's thread, perhaps from inside; not when the reader goes before.
  virtual void Drain(size_t max_bytes, absl::AnyInvocable<void()> done) = 0;
};

// Reads a pipe until its end, without polling: after the end there are no
// wake-ups. One piece is read per turn of the loop, so that a plugin that
// floods does not starve the others.
class PipeReader final : public OutputReader {
 public:
  // Owns `descriptor`, which must be non-blocking.
  PipeReader(EventLoop& loop, int descriptor, Callbacks callbacks);
  // Closes the descriptor; no callback runs after.
  ~PipeReader() override;
  PipeReader(const PipeReader&) = delete;
  PipeReader& operator=(const PipeReader&) = delete;

  void Pause() override;
  void Resume() override;
  // Calls `done` from inside.
  void Drain(size_t max_bytes, absl::AnyInvocable<void()> done) override;
  bool ended() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOOP_EVENT_LOOP_H_

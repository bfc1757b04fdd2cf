#ifndef GOPLUGIN_INTERNAL_LOOP_FILE_TAIL_H_
#define GOPLUGIN_INTERNAL_LOOP_FILE_TAIL_H_

#include <cstddef>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"

namespace goplugin::internal {

// Follows a file that a process appends to, from the descriptor's position on.
// A file never tells that it has grown: it is looked at again and again, soon
// after something came and less often while nothing does. It has no end.
//
// A read of a file takes as long as the file system likes, for ever on one
// whose server is gone: reads are done on a lane of the pool's, one at a time.
// Lives on the loop's thread.
class FileTail final : public OutputReader {
 public:
  // How long Drain waits for a file system that does not answer.
  static constexpr absl::Duration kLongestDrain = absl::Seconds(1);

  // Owns `descriptor`, which nobody else reads from. `lane` may be shared with
  // what may be as slow.
  FileTail(EventLoop& loop, std::shared_ptr<Lane> lane, int descriptor,
           Callbacks callbacks);
  // No callback runs after. The descriptor is closed on the lane, behind a
  // read under way. Not from inside a callback.
  ~FileTail() override;
  FileTail(const FileTail&) = delete;
  FileTail& operator=(const FileTail&) = delete;

  void Pause() override;
  void Resume() override;
  // Calls `done` later, after kLongestDrain at the latest.
  void Drain(size_t max_bytes, absl::AnyInvocable<void()> done) override;

 private:
  // What a read needs, in whose hands it is while one is under way.
  struct File;

  void Read();
  void OnRead(size_t count, int error);
  void DrainOn(size_t count);
  void FinishDrain();

  EventLoop& loop_;
  const std::shared_ptr<Lane> lane_;
  std::shared_ptr<File> file_;
  Callbacks callbacks_;
  absl::Duration pause_;
  bool reading_ = false;
  bool failed_ = false;
  bool paused_ = false;
  // Null when nobody drains.
  absl::AnyInvocable<void()> drained_;
  size_t drain_left_ = 0;
  // The read under way began before the drain, and may have seen too little.
  bool drain_again_ = false;
  Timer timer_;
  Timer drain_deadline_;
  // What a late read looks for: gone with this object.
  const std::shared_ptr<FileTail*> self_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOOP_FILE_TAIL_H_

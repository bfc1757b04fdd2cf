#ifndef GOPLUGIN_INTERNAL_LOOP_FILE_TAIL_H_
#define GOPLUGIN_INTERNAL_LOOP_FILE_TAIL_H_

#include <cstddef>

#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"

namespace goplugin::internal {

// Follows a file that a process appends to, from the descriptor's position on.
// A file never tells that it has grown: it is looked at again and again, soon
// after something came and less often while nothing does. It has no end.
class FileTail final : public OutputReader {
 public:
  // Owns `descriptor`, which nobody else reads from.
  FileTail(EventLoop& loop, int descriptor, Callbacks callbacks);
  // Closes the descriptor; no callback runs after. Not from inside one.
  ~FileTail() override;
  FileTail(const FileTail&) = delete;
  FileTail& operator=(const FileTail&) = delete;

  void Drain(size_t max_bytes) override;

 private:
  void Look();
  // Returns the bytes handed on.
  size_t ReadOnce();

  const int descriptor_;
  Callbacks callbacks_;
  absl::Duration pause_;
  bool failed_ = false;
  Timer timer_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOOP_FILE_TAIL_H_

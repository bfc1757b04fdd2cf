#ifndef GOPLUGIN_INTERNAL_SERVE_STDOUT_CAPTURE_H_
#define GOPLUGIN_INTERNAL_SERVE_STDOUT_CAPTURE_H_

#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// Takes descriptor 1 for as long as it lives: what the process prints goes to
// `sink`, by a thread that does nothing else, so that a print waits for nobody.
// The real stdout is kept aside for the handshake line.
//
// Descriptor 1 is the whole process's: one capture at a time.
// Thread safety: Drain and WriteLine may be called from any thread.
class StdoutCapture {
 public:
  // `sink` gets the bytes as they come, on any thread, never twice at once, and
  // must not print. What C's stdout and std::cout had still buffered goes to
  // it, too: text in front of the handshake line is an error for Go hosts. From
  // then on both are one, and line buffered. kResources where the system gives
  // no thread.
  static absl::StatusOr<std::unique_ptr<StdoutCapture>> Start(
      std::function<void(absl::string_view)> sink);

  // Puts descriptor 1 back. What was printed until then still goes to the sink.
  ~StdoutCapture();

  StdoutCapture(const StdoutCapture&) = delete;
  StdoutCapture& operator=(const StdoutCapture&) = delete;

  // Gives the sink all that was printed before the call.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  // Writes to the real stdout. `line` brings its newline.
  absl::Status WriteLine(absl::string_view line);

 private:
  explicit StdoutCapture(std::function<void(absl::string_view)> sink)
      : sink_(std::move(sink)) {}

  absl::Status Redirect();
  void Pump();
  // Reads what the pipe holds at the time of the call, at most one capacity of
  // it: a thread that prints without end must not keep the reader. False at the
  // end of the pipe.
  bool ReadAvailable() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::function<void(absl::string_view)> sink_;
  UniqueFd real_stdout_;
  UniqueFd pipe_read_;
  int pipe_capacity_ = 0;
  // Closed to end the thread.
  UniqueFd stop_read_;
  UniqueFd stop_write_;
  // Held over read and sink_ together, so that Drain can't overtake a piece
  // which the thread has read and not yet handed on.
  absl::Mutex mutex_;
  SdkThread thread_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_STDOUT_CAPTURE_H_

#ifndef GOPLUGIN_INTERNAL_SERVE_EXIT_REQUEST_H_
#define GOPLUGIN_INTERNAL_SERVE_EXIT_REQUEST_H_

#include <signal.h>

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// The wish that the plugin ends, from the host's Shutdown call or from SIGTERM.
//
// While it lives SIGTERM is such a wish, and SIGINT is too or is ignored: a
// handler and no blocked signals, because threads may exist that were started
// before. Both are the whole process's, so there is one at a time.
//
// Thread safety: Make may be called from any thread, Wait from one.
class ExitRequest {
 public:
  enum class Interrupt {
    kIgnored,  // a terminal's Ctrl-C is the host's matter
    kEnds,
  };

  // Takes the signals. Fails when another one lives, or for want of
  // descriptors.
  static absl::StatusOr<std::unique_ptr<ExitRequest>> Create(
      Interrupt interrupt);

  // Puts the signals back as they were.
  ~ExitRequest();

  ExitRequest(const ExitRequest&) = delete;
  ExitRequest& operator=(const ExitRequest&) = delete;

  // Never blocks. Once is enough; more does nothing.
  void Make() { pipe_->Write(); }
  // Make as a function that may be called from any thread, also when this
  // object is gone: then it does nothing. Only this object's owner puts the
  // signals back: the mask is its thread's.
  std::function<void()> Maker() const;

  // Blocks until the request is made, or returns at once if it was.
  void Wait();
  // Readable once it is made.
  int descriptor() const { return pipe_->read_end.get(); }

 private:
  // Holds a byte when the request is made.
  struct Pipe {
    void Write() const;

    UniqueFd read_end;
    UniqueFd write_end;
  };

  ExitRequest() = default;

  void TakeSignals(Interrupt interrupt);

  // Shared with makers while they write.
  const std::shared_ptr<Pipe> pipe_ = std::make_shared<Pipe>();
  bool owns_signals_ = false;
  struct sigaction old_interrupt_ = {};
  struct sigaction old_terminate_ = {};
  sigset_t old_mask_ = {};
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_EXIT_REQUEST_H_

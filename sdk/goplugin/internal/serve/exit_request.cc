#include "goplugin/internal/serve/exit_request.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

// Where the handler writes; -1 while nobody serves.
std::atomic<int> terminate_fd{-1};
// On how many threads the handler may be about to write there.
std::atomic<int> handlers{0};

void WriteByte(int fd) {
  const char byte = 0;
  // A full pipe holds requests enough.
  const ssize_t ignored = write(fd, &byte, 1);
  (void)ignored;
}

void OnTerminate(int) {
  const int saved = errno;
  ++handlers;
  const int fd = terminate_fd.load();
  if (fd >= 0) WriteByte(fd);
  --handlers;
  errno = saved;
}

// From now on the pipe's number may become another file's. A handler that comes
// now writes no more, and one under way does nothing that takes long; of this
// thread's own there is none.
void ForgetPipe() {
  terminate_fd.store(-1);
  while (handlers.load() != 0) usleep(100);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ExitRequest>> ExitRequest::Create(
    Interrupt interrupt) {
  auto request = absl::WrapUnique(new ExitRequest());
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    return MakeError(Reason::kSpawn,
                     absl::StrCat("can't make a pipe: ", std::strerror(errno)),
                     "raise the limit of open files (ulimit -n)");
  }
  request->pipe_->read_end.reset(ends[0]);
  request->pipe_->write_end.reset(ends[1]);
  int none = -1;
  if (!terminate_fd.compare_exchange_strong(none, ends[1])) {
    return MakeError(Reason::kOptions, "Serve runs already in this process",
                     "call Serve once, from main");
  }
  request->TakeSignals(interrupt);
  return request;
}

void ExitRequest::TakeSignals(Interrupt interrupt) {
  owns_signals_ = true;
  struct sigaction action = {};
  sigemptyset(&action.sa_mask);
  action.sa_handler = OnTerminate;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, &old_terminate_);
  if (interrupt == Interrupt::kIgnored) action.sa_handler = SIG_IGN;
  sigaction(SIGINT, &action, &old_interrupt_);
  // A host that blocked it when it started us would make us deaf.
  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  if (interrupt == Interrupt::kEnds) sigaddset(&terminate, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &terminate, &old_mask_);
}

ExitRequest::~ExitRequest() {
  if (!owns_signals_) return;
  pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  sigaction(SIGTERM, &old_terminate_, nullptr);
  sigaction(SIGINT, &old_interrupt_, nullptr);
  ForgetPipe();
}

void ExitRequest::Pipe::Write() const { WriteByte(write_end.get()); }

std::function<void()> ExitRequest::Maker() const {
  return [weak = std::weak_ptr<Pipe>(pipe_)] {
    if (const std::shared_ptr<Pipe> pipe = weak.lock()) pipe->Write();
  };
}

void ExitRequest::Wait() {
  pollfd fd = {pipe_->read_end.get(), POLLIN, 0};
  while (poll(&fd, 1, -1) < 0 && errno == EINTR) {
  }
}

}  // namespace goplugin::internal

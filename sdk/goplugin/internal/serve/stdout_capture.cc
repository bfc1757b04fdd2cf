#include "goplugin/internal/serve/stdout_capture.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/serve/stdio_streams.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// For C's stdout, which may use it until the process ends.
char line_buffer[BUFSIZ];

absl::Status StdoutError(absl::string_view what) {
  const int error = errno;
  return MakeError(
      Reason::kTransport, absl::StrCat(what, ": ", std::strerror(error)),
      "start the plugin with a stdout it can write to, a pipe of its host");
}

absl::Status MakePipe(UniqueFd& read_end, UniqueFd& write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return StdoutError("can't make a pipe");
  read_end.reset(ends[0]);
  write_end.reset(ends[1]);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<StdoutCapture>> StdoutCapture::Start(
    std::function<void(absl::string_view)> sink) {
  auto capture = absl::WrapUnique(new StdoutCapture(std::move(sink)));
  absl::Status redirected = capture->Redirect();
  if (!redirected.ok()) return redirected;
  absl::StatusOr<SdkThread> thread =
      StartSdkThread("goplugin-stdout", [raw = capture.get()] { raw->Pump(); });
  if (!thread.ok()) return thread.status();
  capture->thread_ = *std::move(thread);
  // Only now: the pump is there to take it.
  std::fflush(stdout);
  LeadStreamsThroughStdio();
  // A pipe would make stdio keep 4 KiB back before the host sees a line. With a
  // buffer of ours: told to use its own, glibc stays with full buffering where
  // something was printed before.
  std::setvbuf(stdout, line_buffer, _IOLBF, sizeof line_buffer);
  return capture;
}

absl::Status StdoutCapture::Redirect() {
  // First of all: where descriptor 1 is closed, a pipe would take its number.
  UniqueFd real(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  if (!real.valid()) return StdoutError("can't keep the real stdout");
  UniqueFd pipe_write;
  absl::Status status = MakePipe(pipe_read_, pipe_write);
  if (status.ok()) status = MakePipe(stop_read_, stop_write_);
  if (!status.ok()) return status;
  pipe_capacity_ = fcntl(pipe_read_.get(), F_GETPIPE_SZ);
  if (pipe_capacity_ <= 0 ||
      fcntl(pipe_read_.get(), F_SETFL, O_NONBLOCK) != 0) {
    return StdoutError("can't set up the pipe for stdout");
  }
  if (dup2(pipe_write.get(), STDOUT_FILENO) < 0) {
    return StdoutError("can't replace stdout");
  }
  // From here on the destructor has something to put back.
  real_stdout_ = std::move(real);
  return absl::OkStatus();
}

StdoutCapture::~StdoutCapture() {
  if (!real_stdout_.valid()) return;
  std::fflush(stdout);
  dup2(real_stdout_.get(), STDOUT_FILENO);
  stop_write_.reset();
  thread_.Join();
  ReadAvailable();
}

void StdoutCapture::Drain() { ReadAvailable(); }

absl::Status StdoutCapture::WriteLine(absl::string_view line) {
  while (!line.empty()) {
    const ssize_t n = write(real_stdout_.get(), line.data(), line.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return StdoutError("can't print the handshake line");
    line.remove_prefix(static_cast<std::size_t>(n));
  }
  return absl::OkStatus();
}

void StdoutCapture::Pump() {
  pollfd fds[2] = {{pipe_read_.get(), POLLIN, 0},
                   {stop_read_.get(), POLLIN, 0}};
  for (;;) {
    if (poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (fds[1].revents != 0) return;
    if (fds[0].revents != 0 && !ReadAvailable()) return;
  }
}

bool StdoutCapture::ReadAvailable() {
  MutexLock lock(mutex_);
  char bytes[16384];
  for (ssize_t total = 0; total < pipe_capacity_;) {
    const ssize_t n = read(pipe_read_.get(), bytes, sizeof bytes);
    if (n > 0) {
      total += n;
      sink_(absl::string_view(bytes, static_cast<std::size_t>(n)));
    } else if (n == 0) {
      return false;
    } else if (errno != EINTR) {
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
  }
  return true;
}

}  // namespace goplugin::internal

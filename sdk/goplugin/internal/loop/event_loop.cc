#include "goplugin/internal/loop/event_loop.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/sdk_thread.h"

// Asio calls this where it would throw, which is only where the system has no
// epoll or event descriptors left for the loop itself.
namespace asio::detail {
template <typename Exception>
void throw_exception(const Exception& /*unused*/) {
  std::abort();
}
}  // namespace asio::detail

namespace goplugin::internal {
namespace {

// As much as a pipe holds by default.
constexpr size_t kReadSize = size_t{64} * 1024;
// At a descriptor that can't be watched.
constexpr auto kBetweenLooks = std::chrono::milliseconds(10);

}  // namespace

struct EventLoop::Impl {
  // One thread runs it, which it is not told: then what that thread posts would
  // be behind what others post meanwhile.
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work{
      context.get_executor()};
  // Shared by all readers: a piece is handed on before the next read.
  std::array<char, kReadSize> buffer;
  absl::Status status;
  SdkThread thread;
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {
  absl::StatusOr<SdkThread> thread =
      StartSdkThread("goplugin-loop", [this] { impl_->context.run(); });
  impl_->status = thread.status();
  if (thread.ok()) impl_->thread = *std::move(thread);
}

EventLoop::~EventLoop() {
  impl_->context.stop();
  if (impl_->thread.joinable()) impl_->thread.Join();
}

const absl::Status& EventLoop::status() const { return impl_->status; }

void EventLoop::Post(absl::AnyInvocable<void()> task) {
  asio::post(impl_->context, std::move(task));
}

// The handler keeps Impl alive; a cancelled one sees that its turn has passed.
struct Timer::Impl {
  explicit Impl(asio::io_context& context) : timer(context) {}
  asio::steady_timer timer;
  absl::AnyInvocable<void()> task;
  unsigned turn = 0;
};

Timer::Timer(EventLoop& loop)
    : impl_(std::make_shared<Impl>(loop.impl().context)) {}

Timer::~Timer() { Cancel(); }

void Timer::Start(absl::Duration delay, absl::AnyInvocable<void()> task) {
  Cancel();
  if (delay == absl::InfiniteDuration()) return;
  impl_->task = std::move(task);
  impl_->timer.expires_after(absl::ToChronoNanoseconds(
      std::clamp(delay, absl::ZeroDuration(), absl::Hours(24 * 365))));
  impl_->timer.async_wait(
      [impl = impl_, turn = impl_->turn](const std::error_code& /*error*/) {
        if (impl->turn != turn) return;
        ++impl->turn;
        absl::AnyInvocable<void()> due = std::move(impl->task);
        due();
      });
}

void Timer::Cancel() {
  ++impl_->turn;
  impl_->task = nullptr;
  impl_->timer.cancel();
}

struct DescriptorWatch::Impl : std::enable_shared_from_this<Impl> {
  using Wait = asio::posix::descriptor_base::wait_type;

  Impl(asio::io_context& context, int descriptor)
      : watched(context), looks(context) {
    std::error_code error;
    static_cast<void>(watched.assign(descriptor, error));
    if (error) unwatched = descriptor;
  }

  void Start(Wait wait, bool& waiting, absl::AnyInvocable<void()>& callback) {
    if (waiting) return;
    waiting = true;
    if (unwatched >= 0) return LookLater();
    watched.async_wait(wait, [self = shared_from_this(), &waiting,
                              &callback](const std::error_code& /*error*/) {
      if (!self->stopped) self->Tell(waiting, callback);
    });
  }

  static void Tell(bool& waiting, absl::AnyInvocable<void()>& callback) {
    waiting = false;
    callback();
  }

  void LookLater() {
    if (looking) return;
    looking = true;
    looks.expires_after(kBetweenLooks);
    looks.async_wait([self = shared_from_this()](
                         const std::error_code& /*error*/) { self->Look(); });
  }

  void Look() {
    looking = false;
    if (stopped) return;
    pollfd state = {unwatched, 0, 0};
    if (reading) state.events |= POLLIN;
    if (writing) state.events |= POLLOUT;
    const bool known = poll(&state, 1, 0) >= 0;
    const auto holds = [&](int event) {
      return known && (state.revents & (event | POLLHUP | POLLERR)) != 0;
    };
    if (reading && holds(POLLIN)) Tell(reading, callbacks.on_readable);
    // The callback may have ended the watch.
    if (!stopped && writing && holds(POLLOUT)) {
      Tell(writing, callbacks.on_writable);
    }
    if (!stopped && (reading || writing)) LookLater();
  }

  asio::posix::stream_descriptor watched;
  // Where epoll does not take it: the system has a limit on watches, which
  // others may have used up. It is looked at again and again then.
  int unwatched = -1;
  asio::steady_timer looks;
  bool looking = false;
  Callbacks callbacks;
  bool reading = false;
  bool writing = false;
  bool stopped = false;
};

DescriptorWatch::DescriptorWatch(EventLoop& loop, int descriptor,
                                 Callbacks callbacks)
    : impl_(std::make_shared<Impl>(loop.impl().context, descriptor)) {
  impl_->callbacks = std::move(callbacks);
}

DescriptorWatch::~DescriptorWatch() {
  impl_->stopped = true;
  impl_->watched.release();  // borrowed: the owner closes it
  impl_->looks.cancel();
}

void DescriptorWatch::WaitReadable() {
  impl_->Start(Impl::Wait::wait_read, impl_->reading,
               impl_->callbacks.on_readable);
}

void DescriptorWatch::WaitWritable() {
  impl_->Start(Impl::Wait::wait_write, impl_->writing,
               impl_->callbacks.on_writable);
}

struct PipeReader::Impl : std::enable_shared_from_this<PipeReader::Impl> {
  Impl(EventLoop& loop, int owned)
      : buffer(loop.impl().buffer.data()),
        descriptor(owned),
        watch(std::make_unique<DescriptorWatch>(
            loop, owned,
            DescriptorWatch::Callbacks{[this] { OnReadable(); }, nullptr})) {
    watch->WaitReadable();
  }

  // Reads by hand: a large buffer is needed only while there is something to
  // read, and one serves every plugin.
  void OnReadable() {
    if (paused) return;
    const auto keep = shared_from_this();
    ReadOnce();
    if (!ended() && !paused) watch->WaitReadable();
  }

  // Returns the bytes handed on; 0 when there is nothing to read now.
  size_t ReadOnce() {
    ssize_t count = 0;
    do {
      count = read(descriptor, buffer, kReadSize);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
      const auto keep = shared_from_this();
      callbacks.on_data(absl::string_view(buffer, static_cast<size_t>(count)));
      return static_cast<size_t>(count);
    }
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
    // Where nobody has a terminal's other side any more.
    const bool over = count == 0 || (errno == EIO && isatty(descriptor) == 1);
    End(over ? 0 : errno);
    return 0;
  }

  void End(int error_number) {
    const auto keep = shared_from_this();
    Close();
    callbacks.on_end(error_number);
  }

  void Close() {
    if (ended()) return;
    watch.reset();
    close(descriptor);
  }

  bool ended() const { return watch == nullptr; }

  char* const buffer;
  const int descriptor;
  // nullptr after the end.
  std::unique_ptr<DescriptorWatch> watch;
  Callbacks callbacks;
  bool paused = false;
};

PipeReader::PipeReader(EventLoop& loop, int descriptor, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(loop, descriptor)) {
  impl_->callbacks = std::move(callbacks);
}

PipeReader::~PipeReader() { impl_->Close(); }

void PipeReader::Pause() { impl_->paused = true; }

void PipeReader::Resume() {
  impl_->paused = false;
  if (!impl_->ended()) impl_->watch->WaitReadable();
}

void PipeReader::Drain(size_t max_bytes, absl::AnyInvocable<void()> done) {
  const std::shared_ptr<Impl> impl = impl_;
  size_t total = 0;
  while (!impl->ended() && total < max_bytes) {
    const size_t count = impl->ReadOnce();
    if (count == 0) break;
    total += count;
  }
  done();
}

bool PipeReader::ended() const { return impl_->ended(); }

}  // namespace goplugin::internal

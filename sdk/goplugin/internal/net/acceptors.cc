#include "goplugin/internal/net/acceptors.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "absl/numeric/bits.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// Connections of one listener per turn of the loop.
constexpr int kPerTurn = 16;
// How long to wait for descriptors or memory to be given back.
constexpr absl::Duration kRetryDelay = absl::Milliseconds(100);

// The connection failed, not the listener.
bool IsConnectionsOwn(int error_number) {
  return error_number == ECONNABORTED || error_number == EINTR ||
         error_number == EPERM || error_number == EPROTO;
}

}  // namespace

// What it has on the loop's thread.
class Acceptors::State {
 public:
  State(EventLoop& loop, Acceptors& owner, Warn warn)
      : loop_(loop), owner_(owner), warn_(std::move(warn)) {}

  void Add(std::uint64_t key, UniqueFd listener, GuestList guests, Take take) {
    Place& place = places_[key];
    place.retry = std::make_unique<Timer>(loop_);
    place.listener = std::move(listener);
    place.guests = std::move(guests);
    place.take = std::move(take);
    place.watch = std::make_unique<DescriptorWatch>(
        loop_, place.listener.get(),
        DescriptorWatch::Callbacks{[this, key] { OnReadable(key); }, nullptr});
    place.watch->WaitReadable();
  }

  void Remove(std::uint64_t key) { places_.erase(key); }

  void OnTaken(std::uint64_t key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    Place& place = found->second;
    if (place.waiting-- == kMaxWaiting) place.watch->WaitReadable();
  }

 private:
  struct Place {
    UniqueFd listener;
    GuestList guests;
    Take take;
    // Accepted, and not taken yet.
    size_t waiting = 0;
    std::unique_ptr<Timer> retry;
    // Last: it borrows the listener.
    std::unique_ptr<DescriptorWatch> watch;
  };

  void OnReadable(std::uint64_t key) {
    Place& place = places_.at(key);
    for (int i = 0; i < kPerTurn && place.waiting < kMaxWaiting; ++i) {
      UniqueFd connection(accept4(place.listener.get(), nullptr, nullptr,
                                  SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (connection.valid()) {
        Admit(key, place, std::move(connection));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        break;
      } else if (!IsConnectionsOwn(errno)) {
        return Pause(place, errno);
      }
    }
    // Else OnTaken asks.
    if (place.waiting < kMaxWaiting) place.watch->WaitReadable();
  }

  void Pause(Place& place, int error_number) {
    Complain(&failures_,
             absl::StrCat("can't accept a connection, will try again: ",
                          std::strerror(error_number)));
    place.retry->Start(kRetryDelay,
                       [watch = place.watch.get()] { watch->WaitReadable(); });
  }

  void Admit(std::uint64_t key, Place& place, UniqueFd connection) {
    if (!IsInvited(connection.get(), place.guests)) {
      return Complain(&strangers_, Describe(PeerOf(connection.get())));
    }
    ++place.waiting;
    owner_.Give(key, std::move(connection), place.take);
  }

  static std::string Describe(const absl::optional<Peer>& peer) {
    return absl::StrCat(
        "a stranger tried to use a socket of this process, and was turned "
        "away: ",
        peer.has_value()
            ? absl::StrCat("process ", peer->pid, " of user ", peer->uid)
            : "the kernel does not tell who");
  }

  // A flood must not become one of log lines.
  void Complain(std::uint64_t* count, const std::string& text) {
    if (!absl::has_single_bit(++*count)) return;
    warn_(*count == 1 ? text : absl::StrCat(text, " (", *count, " so far)"));
  }

  EventLoop& loop_;
  Acceptors& owner_;
  const Acceptors::Warn warn_;
  std::map<std::uint64_t, Place> places_;
  std::uint64_t strangers_ = 0;
  std::uint64_t failures_ = 0;
};

Accepting::~Accepting() {
  if (const auto acceptors = acceptors_.lock()) acceptors->Close(key_);
}

std::shared_ptr<Acceptors> Acceptors::Create(EventLoop& loop, Run run,
                                             Warn warn) {
  return std::shared_ptr<Acceptors>(
      new Acceptors(loop, std::move(run), std::move(warn)));
}

Acceptors::Acceptors(EventLoop& loop, Run run, Warn warn)
    : run_(std::move(run)), warn_(std::move(warn)), loop_(&loop) {}

Acceptors::~Acceptors() = default;

bool Acceptors::Post(absl::AnyInvocable<void(State&)> task) {
  MutexLock lock(mutex_);
  if (loop_ == nullptr) return false;
  loop_->Post([self = shared_from_this(), task = std::move(task)]() mutable {
    if (State* state = self->StateOnLoop()) task(*state);
  });
  return true;
}

// Made by whichever task runs first: those of the loop's own thread may be
// overtaken by others'.
Acceptors::State* Acceptors::StateOnLoop() {
  MutexLock lock(mutex_);
  if (loop_ != nullptr && state_ == nullptr) {
    state_ = std::make_unique<State>(*loop_, *this, warn_);
  }
  return state_.get();
}

std::unique_ptr<Accepting> Acceptors::Accept(UniqueFd listener,
                                             GuestList guests, Take take) {
  const std::uint64_t key = ++last_key_;
  Post([key, listener = std::move(listener), guests = std::move(guests),
        take = std::move(take)](State& state) mutable {
    state.Add(key, std::move(listener), std::move(guests), std::move(take));
  });
  return std::make_unique<Accepting>(weak_from_this(), key);
}

void Acceptors::Close(std::uint64_t key) {
  Post([key](State& state) { state.Remove(key); });
}

void Acceptors::Give(std::uint64_t key, UniqueFd connection, Take take) {
  run_([self = shared_from_this(), key, connection = std::move(connection),
        take = std::move(take)]() mutable {
    take(std::move(connection));
    self->Post([key](State& state) { state.OnTaken(key); });
  });
}

void Acceptors::End() {
  {
    MutexLock lock(mutex_);
    if (loop_ == nullptr) return;
    loop_ = nullptr;
  }
  state_.reset();
}

}  // namespace goplugin::internal

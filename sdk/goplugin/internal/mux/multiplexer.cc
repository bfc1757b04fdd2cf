#include "goplugin/internal/mux/multiplexer.h"

#include <memory>
#include <string>
#include <utility>

#include "goplugin/internal/mux/multiplexer_state.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

std::shared_ptr<Multiplexer> Multiplexer::Create(EventLoop& loop,
                                                 Options options) {
  std::shared_ptr<Multiplexer> multiplexer(new Multiplexer(
      loop, options.place != nullptr, std::move(options.make_door)));
  // Its timers are the loop's.
  loop.Post([&loop, multiplexer, options = std::move(options)]() mutable {
    multiplexer->state_ = std::make_unique<State>(loop, std::move(options));
  });
  return multiplexer;
}

Multiplexer::Multiplexer(EventLoop& loop, bool gives_streams,
                         MakeDoorSocket make_door)
    : gives_streams_(gives_streams),
      make_door_(std::move(make_door)),
      loop_(&loop) {}

Multiplexer::~Multiplexer() = default;

absl::Status Multiplexer::Post(absl::AnyInvocable<void(State&)> task) {
  MutexLock lock(mutex_);
  if (loop_ == nullptr) return end_;
  loop_->Post([self = shared_from_this(), task = std::move(task)]() mutable {
    if (self->state_ != nullptr) task(*self->state_);
  });
  return absl::OkStatus();
}

void Multiplexer::Start(UniqueFd connection) {
  Post([connection = std::move(connection)](State& state) mutable {
    state.Start(std::move(connection));
  }).IgnoreError();
}

void Multiplexer::End(const absl::Status& reason) {
  {
    MutexLock lock(mutex_);
    if (loop_ == nullptr) return;
    loop_ = nullptr;
    end_ = reason;
  }
  state_.reset();
}

void Multiplexer::Drain(absl::Duration timeout,
                        absl::AnyInvocable<void()> done) {
  Post([timeout, done = std::move(done)](State& state) mutable {
    state.Drain(timeout, std::move(done));
  }).IgnoreError();
}

absl::StatusOr<std::shared_ptr<Door>> Multiplexer::OpenDoor(ServiceId id) {
  absl::StatusOr<DoorSocket> socket =
      gives_streams_ ? DoorSocket() : make_door_();
  if (!socket.ok()) return socket.status();
  return AddDoor(id, *std::move(socket));
}

absl::StatusOr<std::shared_ptr<Door>> Multiplexer::OpenMainDoor(
    DoorSocket socket) {
  return AddDoor(absl::nullopt, std::move(socket));
}

absl::StatusOr<std::shared_ptr<Door>> Multiplexer::AddDoor(
    absl::optional<ServiceId> id, DoorSocket socket) {
  const std::uint64_t key = ++last_key_;
  auto door =
      std::make_shared<Door>(weak_from_this(), key, std::move(socket.place));
  const absl::Status posted =
      Post([key, id, weak = std::weak_ptr<Door>(door),
            listener = std::move(socket.listener)](State& state) mutable {
        state.AddDoor(key, std::move(listener), id, std::move(weak));
      });
  if (!posted.ok()) return posted;
  return door;
}

void Multiplexer::CloseDoor(std::uint64_t key) {
  Post([key](State& state) { state.RemoveDoor(key); }).IgnoreError();
}

void Multiplexer::Enter(std::uint64_t key, Visitor visitor) {
  // Who can't be posted is turned away.
  Post([key, visitor = std::move(visitor)](State& state) mutable {
    state.Enter(key, std::move(visitor));
  }).IgnoreError();
}

void Multiplexer::Serve(ServiceId id, Take take) {
  Post([id, take = std::move(take)](State& state) mutable {
    state.Serve(id, std::move(take));
  }).IgnoreError();
}

void Multiplexer::Withdraw(ServiceId id) {
  Post([id](State& state) { state.Withdraw(id); }).IgnoreError();
}

void Multiplexer::SetMessages(Messages messages) {
  Post([messages = std::move(messages)](State& state) mutable {
    state.SetMessages(std::move(messages));
  }).IgnoreError();
}

void Multiplexer::Interrupt(const absl::Status& reason) {
  Post([reason](State& state) { state.Interrupt(reason); }).IgnoreError();
}

void Multiplexer::OnKnock(ServiceId id) {
  PostMessage([id](State& state) { state.OnKnock(id); });
}

void Multiplexer::OnAnswer(ServiceId id, std::string error) {
  PostMessage([id, error = std::move(error)](State& state) {
    state.OnAnswer(id, error);
  });
}

void Multiplexer::PostMessage(absl::AnyInvocable<void(State&)> task) {
  MutexLock lock(mutex_);
  mutex_.Await(absl::Condition(this, &Multiplexer::TakesMessages));
  if (loop_ == nullptr) return;
  ++messages_;
  loop_->Post([self = shared_from_this(), task = std::move(task)]() mutable {
    {
      MutexLock lock(self->mutex_);
      --self->messages_;
    }
    if (self->state_ != nullptr) task(*self->state_);
  });
}

}  // namespace goplugin::internal

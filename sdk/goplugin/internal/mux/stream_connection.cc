#include "goplugin/internal/mux/stream_connection.h"

#include <functional>
#include <memory>
#include <utility>

#include "goplugin/internal/endpoint/local_end.h"

namespace goplugin::internal {

StreamConnection::StreamConnection(EventLoop& loop, UniqueFd connection,
                                   std::unique_ptr<IoPlace> place,
                                   YamuxRole role, Callbacks callbacks)
    : loop_(loop),
      callbacks_(std::move(callbacks)),
      timer_(loop),
      session_(std::make_shared<SharedSession>(
          std::move(connection), std::move(place), role, Posting())) {
  session_->Start();
  OnTime();
}

StreamConnection::~StreamConnection() { session_->Close(); }

SharedSession::Callbacks StreamConnection::Posting() {
  const auto post =
      [this, weak = std::weak_ptr<StreamConnection*>(self_)](auto task) {
        loop_.Post([weak, task = std::move(task)]() mutable {
          if (const auto self = weak.lock()) task(**self);
        });
      };
  SharedSession::Callbacks callbacks;
  callbacks.on_opened = [post](StreamId stream) {
    post([stream](StreamConnection& self) { self.OnOpened(stream); });
  };
  callbacks.on_taken = [this] {
    if (callbacks_.on_taken) callbacks_.on_taken();
  };
  callbacks.on_idle = [post] {
    post([](StreamConnection& self) { self.OnIdle(); });
  };
  callbacks.on_end = [this](const absl::Status& status) {
    callbacks_.on_end(status);
  };
  return callbacks;
}

void StreamConnection::Join(StreamId stream, Visitor visitor) {
  if (auto taken = session_->Take(stream)) visitor.Enter(std::move(taken));
}

void StreamConnection::OnOpened(StreamId stream) {
  const Take take = callbacks_.on_stream();
  if (take == nullptr) return session_->Refuse(stream);
  if (auto taken = session_->Take(stream)) take(std::move(taken));
}

void StreamConnection::CallWhenIdle(absl::AnyInvocable<void()> on_idle) {
  on_idle_ = std::move(on_idle);
  session_->TellWhenIdle();
}

void StreamConnection::OnIdle() {
  if (auto on_idle = std::exchange(on_idle_, nullptr)) on_idle();
}

void StreamConnection::OnTime() {
  timer_.Start(session_->Advance(), [this] { OnTime(); });
}

}  // namespace goplugin::internal

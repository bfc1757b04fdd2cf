#include "goplugin/internal/mux/multiplexer_state.h"

#include <cerrno>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/mux/bridged_connection.h"
#include "goplugin/internal/mux/private_socket.h"
#include "goplugin/internal/mux/stream_connection.h"

namespace goplugin::internal {

Multiplexer::State::State(EventLoop& loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      knock_timer_(loop),
      opening_timer_(loop),
      refusal_timer_(loop),
      eager_timer_(loop),
      drain_timer_(loop) {}

void Multiplexer::State::Start(UniqueFd connection) {
  MuxConnection::Callbacks callbacks;
  callbacks.on_stream = [this] { return OnStream(); };
  // On any thread, and while this object goes.
  const std::weak_ptr<State*> weak = self_;
  callbacks.on_end = [&loop = loop_, weak](const absl::Status& status) {
    loop.Post([weak, status] {
      if (const auto self = weak.lock()) (*self)->OnConnectionEnd(status);
    });
  };
  callbacks.on_taken = [&loop = loop_, weak] {
    loop.Post([weak] {
      if (const auto self = weak.lock()) (*self)->Advance();
    });
  };
  callbacks.on_no_room = [this] {
    Warn(streams_without_room_,
         "no descriptors are left for a stream of the multiplexed connection");
  };
  if (options_.place != nullptr) {
    connection_ = std::make_unique<StreamConnection>(
        loop_, std::move(connection), std::move(options_.place), options_.role,
        std::move(callbacks));
  } else {
    connection_ = std::make_unique<BridgedConnection>(
        loop_, std::move(connection), options_.role, std::move(callbacks));
  }
  Advance();
}

void Multiplexer::State::OnConnectionEnd(const absl::Status& status) {
  ErrorDetails details;
  details.reason = Reason::kConnect;
  details.what = absl::StrCat("the multiplexed connection to the ",
                              options_.peer, " is over");
  details.evidence = {status.ok()
                          ? absl::StrCat("the ", options_.peer, " closed it")
                          : Quote(status.message())};
  details.hint =
      absl::StrCat("it can't be opened again: restart the ", options_.peer);
  if (absl::IsAborted(status)) {
    absl::StrAppend(&details.hint, "; it breaks the rules of yamux");
  } else if (absl::IsDeadlineExceeded(status)) {
    absl::StrAppend(
        &details.hint,
        ". This process stood still (a debugger, SIGSTOP, a "
        "suspended machine?), and go-plugin's multiplexing waits 10 s for it; "
        "without multiplexing a plugin waits for as long as it takes");
  }
  end_ = MakeError(details);
  StopWaiting();
  while (!visitors_.empty()) TurnAway(visitors_.begin()->first, end_);
  // Last: it may end this object.
  const absl::Status end = end_;
  if (const auto on_end = options_.on_end) on_end(end);
}

void Multiplexer::State::Drain(absl::Duration timeout,
                               absl::AnyInvocable<void()> done) {
  on_drained_ = std::move(done);
  if (connection_ == nullptr) return OnDrained();
  drain_timer_.Start(timeout, [this] { OnDrained(); });
  connection_->CallWhenIdle([this] { OnDrained(); });
}

void Multiplexer::State::OnDrained() {
  drain_timer_.Cancel();
  if (auto done = std::exchange(on_drained_, nullptr)) done();
}

// ---- Streams of this side ---------------------------------------------------

void Multiplexer::State::AddDoor(std::uint64_t key, UniqueFd listener,
                                 absl::optional<ServiceId> id,
                                 std::weak_ptr<Door> door) {
  LocalDoor& added = doors_[key];
  added.id = id;
  added.door = std::move(door);
  if (listener.valid()) Listen(key, added, std::move(listener));
  if (!id.has_value() || !end_.ok()) return;
  added.expected = Wait(key, added, Visitor());
  Advance();
}

void Multiplexer::State::Listen(std::uint64_t key, LocalDoor& door,
                                UniqueFd listener) {
  door.listener = std::move(listener);
  door.retry = std::make_unique<Timer>(loop_);
  door.watch = std::make_unique<DescriptorWatch>(
      loop_, door.listener.get(),
      DescriptorWatch::Callbacks{[this, key] { OnVisitors(key); }, nullptr});
  door.watch->WaitReadable();
}

void Multiplexer::State::RemoveDoor(std::uint64_t key) {
  const auto door = doors_.find(key);
  if (door == doors_.end()) return;
  if (door->second.ahead.has_value()) connection_->Abandon(*door->second.ahead);
  doors_.erase(door);
  const absl::optional<OutgoingKnocks::Step> knocked = outgoing_.knocked();
  for (auto next = visitors_.begin(); next != visitors_.end();) {
    if (next->second.door != key) {
      ++next;
      continue;
    }
    outgoing_.Abandon(next->first);
    if (knocked.has_value() && knocked->request == next->first) StopWaiting();
    next = visitors_.erase(next);
  }
  Advance();
}

void Multiplexer::State::OnVisitors(std::uint64_t key) {
  LocalDoor& door = doors_.at(key);
  int strangers = 0;
  while (true) {
    UniqueFd socket = AcceptOwn(door.listener.get(), &strangers);
    if (!socket.valid()) break;
    Enter(key, door, Visitor(std::move(socket)));
  }
  const bool exhausted = errno != EAGAIN && errno != EWOULDBLOCK;
  if (strangers > 0) {
    Warn(strangers_, "another process tried to use this host's private socket");
  }
  if (exhausted) {
    // Who waits at the door waits on, until there are descriptors again.
    door.retry->Start(kRetryDelay,
                      [watch = door.watch.get()] { watch->WaitReadable(); });
  } else {
    door.watch->WaitReadable();
  }
  Advance();
}

void Multiplexer::State::Enter(std::uint64_t key, Visitor visitor) {
  const auto door = doors_.find(key);
  if (door == doors_.end()) return;
  Enter(key, door->second, std::move(visitor));
  Advance();
}

void Multiplexer::State::Enter(std::uint64_t key, LocalDoor& door,
                               Visitor visitor) {
  if (!end_.ok()) {
    TurnAway(Wait(key, door, std::move(visitor)), end_);
  } else if (door.ahead.has_value()) {
    connection_->Join(*std::exchange(door.ahead, absl::nullopt),
                      std::move(visitor));
  } else if (door.expected.has_value()) {
    visitors_.at(*std::exchange(door.expected, absl::nullopt)).visitor =
        std::move(visitor);
  } else {
    Wait(key, door, std::move(visitor));
  }
}

OutgoingKnocks::Request Multiplexer::State::Wait(std::uint64_t key,
                                                 const LocalDoor& door,
                                                 Visitor visitor) {
  const Request request = ++last_request_;
  visitors_[request] = {std::move(visitor), key};
  outgoing_.Add(request, door.id);
  return request;
}

void Multiplexer::State::Advance() {
  if (connection_ == nullptr || !end_.ok()) return;
  // A Go host has one goroutine for each id that waits for a stream. Of two
  // that were told to take one, either may take the first.
  while (!connection_->opening()) {
    const auto step = outgoing_.Next();
    if (!step.has_value()) return;
    if (step->knock.has_value()) {
      Knock(*step);
    } else {
      OpenStream(step->request);
    }
  }
}

void Multiplexer::State::Knock(const OutgoingKnocks::Step& step) {
  const ServiceId id = *step.knock;
  const absl::Status sent =
      messages_.knock != nullptr
          ? messages_.knock(id)
          : MakeError(Reason::kBrokerTimeout,
                      absl::StrCat("brokered connection ", id,
                                   " can't be dialled: the broker's stream "
                                   "between host and plugin is not open"),
                      "dial after the first call has come");
  if (!sent.ok()) {
    outgoing_.OnRefusal(id);
    return TurnAway(step.request, sent);
  }
  SetTrouble(visitors_.at(step.request).door, Unanswered(id));
  expects_answer_ = Expect();
  knock_timer_.Start(kKnockTimeout, [this] { OnKnockTimeout(); });
}

void Multiplexer::State::OnKnockTimeout() {
  const OutgoingKnocks::Step step = *outgoing_.knocked();
  StopWaiting();
  outgoing_.Abandon(step.request);
  TurnAway(step.request, Unanswered(*step.knock));
  Advance();
}

absl::Status Multiplexer::State::Unanswered(ServiceId id) const {
  return MakeError(
      Reason::kBrokerTimeout,
      absl::StrCat("the ", options_.peer,
                   " did not answer the knock for brokered connection ", id),
      absl::StrCat("the ", options_.peer,
                   " must accept on the id (AcceptAndServe) within "
                   "DialOptions::timeout, and before it is dialled if it is a "
                   "Go program"));
}

void Multiplexer::State::OnAnswer(ServiceId id, const std::string& error) {
  if (!end_.ok() || connection_ == nullptr) return;
  if (!error.empty()) {
    const absl::optional<Request> refused = outgoing_.OnRefusal(id);
    if (!refused.has_value()) return;
    StopWaiting();
    ErrorDetails details;
    details.reason = Reason::kBrokerTimeout;
    details.what = absl::StrCat("the ", options_.peer,
                                " refuses brokered connection ", id);
    details.evidence = {Quote(error, 256)};
    details.hint = absl::StrCat("the ", options_.peer,
                                " must accept on the id (AcceptAndServe)");
    TurnAway(*refused, MakeError(details));
    return Advance();
  }
  switch (outgoing_.OnAck(id)) {
    case OutgoingKnocks::Verdict::kOpen:
      StopWaiting();
      OpenStream(outgoing_.finished());
      return Advance();
    case OutgoingKnocks::Verdict::kThrowAway:
      if (const auto stream = OpenOnConnection(); stream.ok()) {
        connection_->Abandon(*stream);
      }
      if (!outgoing_.knocked().has_value()) StopWaiting();
      return Advance();
    case OutgoingKnocks::Verdict::kUnexpected:
      Warn(unasked_answers_,
           absl::StrCat("the ", options_.peer,
                        " answers a knock that nobody sent, for brokered "
                        "connection ",
                        id));
  }
}

void Multiplexer::State::OpenStream(Request request) {
  const auto visitor = visitors_.find(request);
  if (visitor == visitors_.end()) return;
  const auto stream = OpenOnConnection();
  if (!stream.ok()) {
    return TurnAway(request,
                    MakeError(Reason::kBrokerTimeout,
                              absl::StrCat("no stream to the ", options_.peer,
                                           ": ", stream.status().message()),
                              "try again later"));
  }
  SetTrouble(visitor->second.door, absl::OkStatus());
  if (visitor->second.visitor.is_there()) {
    connection_->Join(*stream, std::move(visitor->second.visitor));
  } else {
    LocalDoor& door = doors_.at(visitor->second.door);
    door.expected.reset();
    door.ahead = *stream;
  }
  visitors_.erase(visitor);
}

absl::StatusOr<YamuxSession::StreamId> Multiplexer::State::OpenOnConnection() {
  auto stream = connection_->Open();
  if (!stream.ok()) return stream;
  opening_timer_.Start(kOpeningTimeout, [this] {
    connection_->StopOpening();
    Advance();
  });
  return stream;
}

void Multiplexer::State::TurnAway(Request request, const absl::Status& why) {
  const auto visitor = visitors_.find(request);
  if (visitor == visitors_.end()) return;
  // Before the socket closes, which its owner sees.
  SetTrouble(visitor->second.door, why);
  const auto door = doors_.find(visitor->second.door);
  if (door != doors_.end() && door->second.expected == request) {
    door->second.expected.reset();
  }
  outgoing_.Abandon(request);
  visitor->second.visitor.TurnAway(why);
  visitors_.erase(visitor);
}

void Multiplexer::State::SetTrouble(std::uint64_t door,
                                    const absl::Status& trouble) {
  const auto found = doors_.find(door);
  if (found == doors_.end()) return;
  if (const auto told = found->second.door.lock()) told->set_trouble(trouble);
}

void Multiplexer::State::StopWaiting() {
  knock_timer_.Cancel();
  expects_answer_.reset();
}

void Multiplexer::State::SetMessages(Messages messages) {
  messages_ = std::move(messages);
  Advance();
}

void Multiplexer::State::Interrupt(const absl::Status& reason) {
  const absl::optional<OutgoingKnocks::Step> knocked = outgoing_.knocked();
  if (!knocked.has_value()) return;
  StopWaiting();
  outgoing_.OnRefusal(*knocked->knock);
  TurnAway(knocked->request, reason);
  Advance();
}

// ---- Streams of the other side ----------------------------------------------

void Multiplexer::State::Serve(ServiceId id, Take take) {
  servers_[id] = std::move(take);
  if (incoming_.Serve(id)) {
    Answer(id, "");
  } else {
    BeEager(id);
  }
}

void Multiplexer::State::Withdraw(ServiceId id) {
  servers_.erase(id);
  incoming_.Withdraw(id);
  BeCalm(id);
}

void Multiplexer::State::OnKnock(ServiceId id) {
  BeCalm(id);
  switch (incoming_.OnKnock(id, clock_.Elapsed())) {
    case IncomingKnocks::Verdict::kAck:
      return Answer(id, "");
    case IncomingKnocks::Verdict::kRefuse:
      return Answer(id, "too many knocks without a stream, or at one id");
    case IncomingKnocks::Verdict::kWait:
      refusal_timer_.Start(incoming_.NextDeadline() - clock_.Elapsed(),
                           [this] { RefuseLate(); });
  }
}

void Multiplexer::State::RefuseLate() {
  for (ServiceId id : incoming_.TakeExpired(clock_.Elapsed())) {
    Answer(id, absl::StrCat("nobody accepts brokered connection ", id));
  }
  refusal_timer_.Start(incoming_.NextDeadline() - clock_.Elapsed(),
                       [this] { RefuseLate(); });
}

void Multiplexer::State::Answer(ServiceId id, const std::string& error) {
  if (messages_.answer) messages_.answer(id, error);
}

Multiplexer::Take Multiplexer::State::OnStream() {
  const absl::optional<ServiceId> id = incoming_.TakePromised();
  if (!id.has_value()) {
    if (options_.main_server != nullptr) return options_.main_server;
    Warn(streams_without_knock_,
         absl::StrCat("the ", options_.peer,
                      " opened a stream without a knock; it was reset"));
    return nullptr;
  }
  const auto server = servers_.find(*id);
  // Not served any more: the other side sees a reset.
  return server == servers_.end() ? Take() : server->second;
}

void Multiplexer::State::BeEager(ServiceId id) {
  eager_.insert(id);
  if (expects_knock_ == nullptr) expects_knock_ = Expect();
  eager_timer_.Start(kEagerTime, [this] {
    eager_.clear();
    expects_knock_.reset();
  });
}

void Multiplexer::State::BeCalm(ServiceId id) {
  if (eager_.erase(id) == 0 || !eager_.empty()) return;
  eager_timer_.Cancel();
  expects_knock_.reset();
}

std::shared_ptr<void> Multiplexer::State::Expect() {
  return messages_.expect ? messages_.expect() : nullptr;
}

void Multiplexer::State::Warn(Seldom& kind, const std::string& text) {
  if (!kind.Tell()) return;
  options_.warn(absl::StrCat(
      text,
      kind.count() > 1 ? absl::StrCat(" (warning ", kind.count(), ")") : ""));
}

}  // namespace goplugin::internal

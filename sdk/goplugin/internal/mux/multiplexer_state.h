#ifndef GOPLUGIN_INTERNAL_MUX_MULTIPLEXER_STATE_H_
#define GOPLUGIN_INTERNAL_MUX_MULTIPLEXER_STATE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/seldom.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/mux/door.h"
#include "goplugin/internal/mux/incoming_knocks.h"
#include "goplugin/internal/mux/multiplexer.h"
#include "goplugin/internal/mux/mux_connection.h"
#include "goplugin/internal/mux/outgoing_knocks.h"
#include "goplugin/internal/mux/visitor.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// What a Multiplexer has on the loop's thread.
class Multiplexer::State {
 public:
  // How long a knock waits for its answer; the Go implementation's time.
  static constexpr absl::Duration kKnockTimeout = absl::Seconds(5);
  // How long a stream that was opened is to be taken before the next one is.
  static constexpr absl::Duration kOpeningTimeout = absl::Seconds(5);
  // Without descriptors left, a door is looked at again after this time.
  static constexpr absl::Duration kRetryDelay = absl::Milliseconds(100);
  // An id is usually dialled right after it was told. For so long the messages
  // about it are waited for.
  static constexpr absl::Duration kEagerTime = absl::Seconds(1);

  State(EventLoop& loop, Options options);

  void Start(UniqueFd connection);
  void Drain(absl::Duration timeout, absl::AnyInvocable<void()> done);
  // Without a listener, its visitors come by Enter.
  void AddDoor(std::uint64_t key, UniqueFd listener,
               absl::optional<ServiceId> id, std::weak_ptr<Door> door);
  void RemoveDoor(std::uint64_t key);
  void Enter(std::uint64_t key, Visitor visitor);
  void Serve(ServiceId id, Take take);
  void Withdraw(ServiceId id);
  void SetMessages(Messages messages);
  void Interrupt(const absl::Status& reason);
  void OnKnock(ServiceId id);
  void OnAnswer(ServiceId id, const std::string& error);

 private:
  using Request = OutgoingKnocks::Request;

  struct LocalDoor {
    UniqueFd listener;
    absl::optional<ServiceId> id;
    std::weak_ptr<Door> door;
    std::unique_ptr<Timer> retry;
    std::unique_ptr<DescriptorWatch> watch;
    // Whoever opens a door to a service is about to enter. Its knock and its
    // stream don't wait for that: the visitor who is expected to have this
    // request, or the stream that is there for it already.
    absl::optional<Request> expected;
    absl::optional<YamuxSession::StreamId> ahead;
  };
  // Who has no stream yet.
  struct Waiting {
    Visitor visitor;
    std::uint64_t door = 0;
  };

  // Outgoing.
  void Listen(std::uint64_t key, LocalDoor& door, UniqueFd listener);
  void OnVisitors(std::uint64_t key);
  void Enter(std::uint64_t key, LocalDoor& door, Visitor visitor);
  Request Wait(std::uint64_t key, const LocalDoor& door, Visitor visitor);
  void Advance();
  void Knock(const OutgoingKnocks::Step& step);
  void OnKnockTimeout();
  void OpenStream(Request request);
  absl::StatusOr<YamuxSession::StreamId> OpenOnConnection();
  void TurnAway(Request request, const absl::Status& why);
  void SetTrouble(std::uint64_t door, const absl::Status& trouble);
  void StopWaiting();
  absl::Status Unanswered(ServiceId id) const;

  // Incoming.
  Take OnStream();
  void Answer(ServiceId id, const std::string& error);
  void RefuseLate();
  void BeEager(ServiceId id);
  void BeCalm(ServiceId id);

  void OnDrained();
  void OnConnectionEnd(const absl::Status& status);
  // A remark on what the other side can cause as often as it likes.
  void Warn(Seldom& kind, const std::string& text);
  std::shared_ptr<void> Expect();

  EventLoop& loop_;
  Options options_;
  Messages messages_;
  const Stopwatch clock_;

  std::map<std::uint64_t, LocalDoor> doors_;
  std::map<Request, Waiting> visitors_;
  Request last_request_ = 0;
  OutgoingKnocks outgoing_;
  Timer knock_timer_;
  Timer opening_timer_;
  std::shared_ptr<void> expects_answer_;

  IncomingKnocks incoming_;
  std::map<ServiceId, Take> servers_;
  Timer refusal_timer_;
  // Ids that were told, and not knocked at yet.
  std::set<ServiceId> eager_;
  Timer eager_timer_;
  std::shared_ptr<void> expects_knock_;

  Timer drain_timer_;
  absl::AnyInvocable<void()> on_drained_;

  Seldom strangers_;
  Seldom unasked_answers_;
  Seldom streams_without_knock_;
  Seldom streams_without_room_;
  absl::Status end_;
  // Last: it goes first.
  std::unique_ptr<MuxConnection> connection_;
  // For tasks that may come later than this object's end.
  const std::shared_ptr<State*> self_ = std::make_shared<State*>(this);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_MULTIPLEXER_STATE_H_

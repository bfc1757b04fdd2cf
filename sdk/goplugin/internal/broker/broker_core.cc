#include "goplugin/internal/broker/broker_core.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "goplugin/error.h"
#include "goplugin/internal/broker/conn_info.h"
#include "goplugin/internal/broker/link_error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// How long an announcement waits for the other side to open the stream.
constexpr absl::Duration kStreamWait = absl::Seconds(5);
// After the stream has broken, for the end that explains it.
constexpr absl::Duration kEndAfterClose = absl::Seconds(1);
// After a failed connection, for news of why.
constexpr absl::Duration kNewsAfterFailure = absl::Milliseconds(100);
// Ids named in an error.
constexpr size_t kIdsNamed = 8;

absl::StatusOr<Endpoint> Translate(const AddressTranslation::Translate& how,
                                   Endpoint endpoint) {
  if (how == nullptr) return endpoint;
  return how(endpoint);
}

}  // namespace

BrokerCore::BrokerCore(BrokerSetup setup)
    : owner_(getpid()),
      setup_(std::move(setup)),
      sockets_(setup_.sockets),
      pending_(setup_.keep) {}

void BrokerCore::Open(Send send) {
  {
    MutexLock lock(mutex_);
    if (!end_.ok()) return;
    link_ = Link::kOpen;
    send_ = std::move(send);
    changed_.NotifyAll();
  }
  if (multiplexed()) setup_.multiplexer->SetMessages(KnockMessages());
}

Multiplexer::Messages BrokerCore::KnockMessages() {
  Multiplexer::Messages messages;
  messages.knock = [weak = weak_from_this()](std::uint32_t id) {
    const std::shared_ptr<BrokerCore> core = weak.lock();
    return core == nullptr ? absl::CancelledError() : core->Knock(id);
  };
  messages.answer = [weak = weak_from_this()](std::uint32_t id,
                                              const std::string& error) {
    if (const auto core = weak.lock()) core->Answer(id, error);
  };
  messages.expect = setup_.expect;
  return messages;
}

absl::Status BrokerCore::Knock(std::uint32_t id) {
  Send send;
  {
    MutexLock lock(mutex_);
    if (!end_.ok()) return end_;
    send = send_;
  }
  if (send != nullptr) {
    absl::Status sent = send(KnockAt(id));
    if (sent.ok()) return sent;
    if (absl::IsResourceExhausted(sent)) {
      return NotSent(absl::StrCat("the knock for brokered connection ", id));
    }
  }
  MutexLock lock(mutex_);
  return LinkError(setup_.peer, link_status_);
}

void BrokerCore::Answer(std::uint32_t id, const std::string& error) {
  Send send;
  {
    MutexLock lock(mutex_);
    send = send_;
  }
  if (send == nullptr) return;
  if (!absl::IsResourceExhausted(send(AnswerTo(id, error)))) return;
  if (!unanswered_.Tell()) return;
  setup_.warn(absl::StrCat(
      "the ", setup_.peer, " knocks and does not read the answers: ",
      unanswered_.count(), " knocks were left without one so far"));
}

absl::Status BrokerCore::NotSent(const std::string& what) const {
  return MakeError(
      Reason::kBrokerTimeout,
      absl::StrCat(what, " could not be sent: the ", setup_.peer,
                   " does not read the broker's stream, and as much waits for "
                   "it as may"),
      absl::StrCat("the ", setup_.peer,
                   " is stopped, stuck or overloaded; try again later"));
}

void BrokerCore::OnKnock(const wire::ConnInfo& info) {
  if (!multiplexed()) {
    if (!info.knock().ack()) {
      return Answer(info.service_id(), "multiplexing is not in use");
    }
    // An answer to a knock that was never sent.
    if (info.knock().error().empty() || !refused_.Tell()) return;
    setup_.warn(absl::StrCat("the ", setup_.peer,
                             " refuses brokered connection ", info.service_id(),
                             ", unasked: ", Quote(info.knock().error(), 256),
                             " (", refused_.count(), " such refusals so far)"));
  } else if (info.knock().ack()) {
    setup_.multiplexer->OnAnswer(info.service_id(), KnockError(info));
  } else {
    setup_.multiplexer->OnKnock(info.service_id());
  }
}

void BrokerCore::Receive(const wire::ConnInfo& info) {
  heard_ = true;
  if (IsKnock(info)) return OnKnock(info);
  std::string warning;
  {
    MutexLock lock(mutex_);
    if (!end_.ok()) return;
    warning = Keep(info.service_id(), AnnouncedEndpoint(info));
  }
  if (!warning.empty()) setup_.warn(std::move(warning));
}

std::string BrokerCore::Keep(std::uint32_t id, Announcement announcement) {
  auto [first, last] = waiters_.equal_range(id);
  for (auto waiter = first; waiter != last; ++waiter) {
    if (waiter->second->found.has_value()) continue;
    waiter->second->found = std::move(announcement);
    changed_.NotifyAll();
    return "";
  }
  if (pending_.Add(id, std::move(announcement), clock_.Elapsed())) return "";
  if (!dropped_.Tell()) return "";
  return absl::StrCat("the ", setup_.peer,
                      " announces more brokered connections than anybody "
                      "dials: ",
                      dropped_.count(),
                      " of them dropped so far, the oldest first (",
                      PendingTable::kMaxKept, " are kept)");
}

void BrokerCore::Close(const grpc::Status& status) {
  Send send;  // destroyed after the lock
  {
    MutexLock lock(mutex_);
    if (!end_.ok()) return;
    link_ = Link::kClosed;
    link_status_ = status;
    send.swap(send_);
    changed_.NotifyAll();
  }
  if (multiplexed()) {
    setup_.multiplexer->Interrupt(LinkError(setup_.peer, status));
  }
}

void BrokerCore::End(const absl::Status& reason) {
  Send send;
  {
    MutexLock lock(mutex_);
    if (!end_.ok()) return;
    end_ = reason;
    link_ = Link::kClosed;
    send.swap(send_);
    changed_.NotifyAll();
  }
  if (multiplexed()) setup_.multiplexer->Interrupt(reason);
  sockets_.Close();
}

std::uint32_t BrokerCore::NextId() {
  std::uint32_t id = ++last_id_;
  // 0 is what a message without an id holds.
  return id != 0 ? id : ++last_id_;
}

absl::StatusOr<Endpoint> BrokerCore::Await(std::uint32_t id,
                                           absl::Duration timeout) {
  absl::StatusOr<Endpoint> announced = AwaitAnnounced(id, timeout);
  if (!announced.ok()) return announced;
  return Translate(setup_.translation.to_here, *std::move(announced));
}

absl::StatusOr<std::shared_ptr<Door>> BrokerCore::OpenDoor(std::uint32_t id) {
  {
    MutexLock lock(mutex_);
    if (!end_.ok()) return end_;
  }
  return setup_.multiplexer->OpenDoor(id);
}

absl::StatusOr<Endpoint> BrokerCore::AwaitAnnounced(std::uint32_t id,
                                                    absl::Duration timeout) {
  const Stopwatch waited;
  MutexLock lock(mutex_);
  if (!end_.ok()) return end_;
  if (auto found = pending_.Take(id, clock_.Elapsed())) return *found;
  Waiter waiter;
  const auto told = [this, &waiter] {
    mutex_.AssertReaderHeld();
    return Told(waiter);
  };
  const std::shared_ptr<void> expected =
      setup_.expect ? setup_.expect() : nullptr;
  const auto place = waiters_.emplace(id, &waiter);
  changed_.WaitFor(mutex_, timeout, told);
  waiters_.erase(place);
  if (waiter.found.has_value()) return *waiter.found;
  if (!end_.ok()) return end_;
  if (link_ == Link::kClosed) return Broken();
  return NobodyAnnounced(id, waited.Elapsed());
}

absl::Status BrokerCore::Broken() {
  if (link_status_.error_code() != grpc::StatusCode::UNIMPLEMENTED) {
    changed_.WaitFor(mutex_, kEndAfterClose, [this] {
      mutex_.AssertReaderHeld();
      return !end_.ok();
    });
  }
  return end_.ok() ? LinkError(setup_.peer, link_status_) : end_;
}

absl::Status BrokerCore::NobodyAnnounced(std::uint32_t id,
                                         absl::Duration waited) const {
  ErrorDetails details;
  details.reason = Reason::kBrokerTimeout;
  details.what = absl::StrCat("the ", setup_.peer,
                              " announced no brokered connection ", id);
  details.evidence = {absl::StrCat("waited ", InMilliseconds(waited))};
  if (link_ == Link::kNotYet) {
    details.evidence.push_back(absl::StrCat(
        "the broker's stream between host and plugin was not opened yet"));
  }
  const std::vector<std::uint32_t> others = pending_.Ids(kIdsNamed);
  if (!others.empty()) {
    details.evidence.push_back(
        absl::StrCat("announced and not dialled: ", absl::StrJoin(others, ", "),
                     pending_.size() > others.size() ? ", ..." : ""));
  }
  details.hint = absl::StrCat(
      "the ", setup_.peer, " must accept on the id (AcceptAndServe) within ",
      "DialOptions::timeout; an id can be dialled once, and an announcement is "
      "kept for ",
      absl::FormatDuration(setup_.keep));
  return MakeError(details);
}

absl::Status BrokerCore::Reserve(std::uint32_t id) {
  MutexLock lock(mutex_);
  if (!end_.ok()) return end_;
  if (served_.insert(id).second) return absl::OkStatus();
  return MakeError(
      Reason::kOptions,
      absl::StrCat("brokered connection ", id, " is served already"),
      "take a new id with NextId for each service that the "
      "other side dials");
}

absl::Status BrokerCore::ServeStreams(std::uint32_t id,
                                      Multiplexer::Take take) {
  absl::Status status = Reserve(id);
  if (!status.ok()) return status;
  setup_.multiplexer->Serve(id, [acceptors = setup_.acceptors,
                                 take = std::move(take)](LocalEnd connection) {
    acceptors->HandOver([take, connection = std::move(connection)]() mutable {
      take(std::move(connection));
    });
  });
  return absl::OkStatus();
}

absl::Status BrokerCore::Announce(std::uint32_t id, const Endpoint& endpoint) {
  absl::Status status = Reserve(id);
  if (!status.ok()) return status;
  status = Deliver(id, endpoint);
  if (!status.ok()) Withdraw(id);
  return status;
}

absl::Status BrokerCore::Deliver(std::uint32_t id, const Endpoint& endpoint) {
  const absl::StatusOr<Endpoint> there =
      Translate(setup_.translation.to_there, endpoint);
  if (!there.ok()) return there.status();
  absl::Status announceable = CheckAnnounceable(*there);
  if (!announceable.ok()) return announceable;
  Send send;
  {
    MutexLock lock(mutex_);
    changed_.WaitFor(mutex_, kStreamWait, [this] {
      mutex_.AssertReaderHeld();
      return MaySend();
    });
    if (!end_.ok()) return end_;
    if (link_ == Link::kClosed) return Broken();
    send = send_;
  }
  if (!send) {
    return MakeError(
        Reason::kBrokerTimeout,
        absl::StrCat("brokered connection ", id,
                     " could not be announced: the "
                     "broker's stream between host and plugin was not opened"),
        "serve on ids after the first call of the host has come; a host "
        "without a broker never opens the stream");
  }
  absl::Status sent = send(AnnouncementOf(id, *there));
  if (sent.ok()) return sent;
  if (absl::IsResourceExhausted(sent)) {
    return NotSent(
        absl::StrCat("the announcement of brokered connection ", id));
  }
  MutexLock lock(mutex_);
  return Broken();
}

void BrokerCore::Withdraw(std::uint32_t id) {
  if (multiplexed()) setup_.multiplexer->Withdraw(id);
  MutexLock lock(mutex_);
  served_.erase(id);
}

absl::Status BrokerCore::ExplainFailure(const absl::Status& failure) {
  MutexLock lock(mutex_);
  const auto news = [this] {
    mutex_.AssertReaderHeld();
    return !end_.ok() || link_ == Link::kClosed;
  };
  if (!changed_.WaitFor(mutex_, kNewsAfterFailure, news)) {
    return failure;
  }
  const absl::Status broken = Broken();
  return end_.ok() ? failure : broken;
}

absl::Status BrokerCore::end() const {
  MutexLock lock(mutex_);
  return end_;
}

bool BrokerCore::forked() const { return getpid() != owner_; }

absl::Status BrokerCore::CheckMayBlock() const {
  if (forked()) {
    return MakeError(Reason::kForked,
                     "this broker belongs to the parent process",
                     "exec first, or fork before the first plugin is launched");
  }
  if (!OnSdkThread()) return absl::OkStatus();
  return MakeError(
      Reason::kWrongThread,
      "a blocking method was called from a callback of this library",
      "dial and accept on a thread of your own");
}

}  // namespace goplugin::internal

#include "goplugin/internal/process/spawners.h"

#include <algorithm>
#include <chrono>
#include <list>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/internal/versions/steady_condition.h"

namespace goplugin::internal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr absl::Duration kPatience = absl::Seconds(1);
// How long nothing may move before another thread joins, and after that one
// the next.
constexpr auto kHeldUpAfter = std::chrono::milliseconds(50);
constexpr auto kStillHeldUpAfter = std::chrono::milliseconds(10);
// How long one waits in reserve when there is nothing to watch.
constexpr auto kLinger = std::chrono::seconds(1);
// Before a busy program is tried again.
constexpr auto kBusyPause = std::chrono::milliseconds(2);

}  // namespace

// A thread is a spawner once it has taken a request, and stays. At most one
// more waits in reserve, and watches whether the others move: it takes a
// request only when they don't, and leaves when nothing is asked for.
class Spawners::Crew : public std::enable_shared_from_this<Crew> {
 public:
  // kResources when there is nobody to do it.
  absl::Status Add(std::shared_ptr<SpawnTicket> ticket);
  void Remove(const SpawnTicket* ticket);
  size_t Stop(absl::Duration patience);

 private:
  struct Request {
    std::shared_ptr<SpawnTicket> ticket;
    Clock::time_point due;
  };
  struct Member {
    SdkThread thread;
    bool in_reserve = true;
    // What it is at.
    std::shared_ptr<SpawnTicket> ticket = nullptr;
    bool finished = false;
  };

  absl::Status AddMember(bool in_reserve) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Has somebody watch when more is due than is being waited for.
  void WatchIfCrowded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run(Member& self);
  // nullptr: the end.
  std::shared_ptr<SpawnTicket> Take(Member& self);
  // When the member is to take the request that is due first; there is one.
  Clock::time_point TimeToTake(const Member& self) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::list<Request>::const_iterator First() const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False when there is nothing that it is needed for.
  bool WaitForWork(const Member& self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void JoinFinished() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What is not done yet, taken away from here.
  std::vector<std::shared_ptr<SpawnTicket>> Disband();
  bool AllFinished() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  SteadyCondition changed_;
  std::list<Request> requests_ ABSL_GUARDED_BY(mutex_);
  // Stays where it is: each thread has its own member.
  std::list<Member> members_ ABSL_GUARDED_BY(mutex_);
  // When a request was taken the last time.
  Clock::time_point last_taken_ ABSL_GUARDED_BY(mutex_);
  // Whether one has joined and nothing has moved since.
  bool held_up_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

absl::Status Spawners::Crew::Add(std::shared_ptr<SpawnTicket> ticket) {
  MutexLock lock(mutex_);
  if (members_.empty()) {
    absl::Status first = AddMember(/*in_reserve=*/false);
    if (!first.ok()) return first;
  }
  requests_.push_back({std::move(ticket), Clock::now()});
  WatchIfCrowded();
  changed_.NotifyAll();
  return absl::OkStatus();
}

void Spawners::Crew::Remove(const SpawnTicket* ticket) {
  // Destroyed after the lock is let go.
  std::list<Request> removed;
  MutexLock lock(mutex_);
  const auto found = std::find_if(
      requests_.begin(), requests_.end(),
      [ticket](const Request& r) { return r.ticket.get() == ticket; });
  if (found != requests_.end()) {
    removed.splice(removed.end(), requests_, found);
  }
}

absl::Status Spawners::Crew::AddMember(bool in_reserve) {
  Member& member = members_.emplace_back();
  member.in_reserve = in_reserve;
  absl::StatusOr<SdkThread> thread = StartSdkThread(
      "goplugin-spawn",
      [self = shared_from_this(), &member] { self->Run(member); });
  if (!thread.ok()) {
    members_.pop_back();
    return thread.status();
  }
  member.thread = *std::move(thread);
  return absl::OkStatus();
}

void Spawners::Crew::WatchIfCrowded() {
  JoinFinished();
  const Clock::time_point now = Clock::now();
  const auto due =
      std::count_if(requests_.begin(), requests_.end(),
                    [now](const Request& r) { return r.due <= now; });
  const auto idle = std::count_if(
      members_.begin(), members_.end(),
      [](const Member& m) { return !m.in_reserve && m.ticket == nullptr; });
  if (stopping_ || due <= idle || members_.size() == kMaxThreads ||
      std::any_of(members_.begin(), members_.end(),
                  [](const Member& member) { return member.in_reserve; })) {
    return;
  }
  // It would only help.
  AddMember(/*in_reserve=*/true).IgnoreError();
}

void Spawners::Crew::Run(Member& self) {
  while (std::shared_ptr<SpawnTicket> ticket = Take(self)) {
    const bool again = ticket->TryOnce([&] {
      MutexLock lock(mutex_);
      self.ticket.reset();
      held_up_ = false;
    });
    if (!again) continue;
    MutexLock lock(mutex_);
    if (stopping_) continue;
    requests_.push_back({std::move(ticket), Clock::now() + kBusyPause});
    changed_.NotifyAll();
  }
}

std::shared_ptr<SpawnTicket> Spawners::Crew::Take(Member& self) {
  MutexLock lock(mutex_);
  self.ticket.reset();
  while (!stopping_ && (requests_.empty() || Clock::now() < TimeToTake(self))) {
    if (!WaitForWork(self)) break;
  }
  if (stopping_ || requests_.empty()) {
    self.finished = true;
    changed_.NotifyAll();
    return nullptr;
  }
  held_up_ = held_up_ || self.in_reserve;
  self.in_reserve = false;
  const auto first = First();
  self.ticket = first->ticket;
  requests_.erase(first);
  last_taken_ = Clock::now();
  WatchIfCrowded();
  return self.ticket;
}

Clock::time_point Spawners::Crew::TimeToTake(const Member& self) const {
  const Clock::time_point due = First()->due;
  if (!self.in_reserve) return due;
  return std::max(due, last_taken_) +
         (held_up_ ? kStillHeldUpAfter : kHeldUpAfter);
}

std::list<Spawners::Crew::Request>::const_iterator Spawners::Crew::First()
    const {
  return std::min_element(
      requests_.begin(), requests_.end(),
      [](const Request& a, const Request& b) { return a.due < b.due; });
}

bool Spawners::Crew::WaitForWork(const Member& self) {
  if (!requests_.empty()) {
    changed_.WaitUntil(mutex_, TimeToTake(self));
    return true;
  }
  if (!self.in_reserve) {
    changed_.Wait(mutex_);
    return true;
  }
  const Clock::time_point end = Clock::now() + kLinger;
  changed_.WaitUntil(mutex_, end);
  return Clock::now() < end || !requests_.empty();
}

void Spawners::Crew::JoinFinished() {
  members_.remove_if([](Member& member) {
    if (member.finished) member.thread.Join();
    return member.finished;
  });
}

std::vector<std::shared_ptr<SpawnTicket>> Spawners::Crew::Disband() {
  std::vector<std::shared_ptr<SpawnTicket>> tickets;
  MutexLock lock(mutex_);
  stopping_ = true;
  for (Request& request : requests_) {
    tickets.push_back(std::move(request.ticket));
  }
  requests_.clear();
  for (const Member& member : members_) {
    if (member.ticket != nullptr) tickets.push_back(member.ticket);
  }
  changed_.NotifyAll();
  return tickets;
}

bool Spawners::Crew::AllFinished() const {
  return std::all_of(members_.begin(), members_.end(), [](const Member& m) {
    return m.finished || !m.thread.joinable();
  });
}

size_t Spawners::Crew::Stop(absl::Duration patience) {
  for (const auto& ticket : Disband()) ticket->Abandon();
  MutexLock lock(mutex_);
  changed_.WaitFor(mutex_, patience, [this] {
    mutex_.AssertReaderHeld();
    return AllFinished();
  });
  size_t let_go = 0;
  JoinFinished();
  for (Member& member : members_) {
    if (!member.thread.joinable()) continue;
    member.thread.Detach();
    ++let_go;
  }
  return let_go;
}

Spawners::Spawners() : crew_(std::make_shared<Crew>()) {}

Spawners::~Spawners() { Stop(kPatience); }

absl::StatusOr<std::shared_ptr<SpawnTicket>> Spawners::Spawn(
    std::shared_ptr<PreparedSpawn> prepared, SpawnTicket::Done done) {
  auto ticket = std::make_shared<SpawnTicket>(
      std::move(prepared), std::move(done),
      [crew = crew_](const SpawnTicket* self) { crew->Remove(self); });
  absl::Status added = crew_->Add(ticket);
  if (!added.ok()) return added;
  return ticket;
}

size_t Spawners::Stop(absl::Duration patience) { return crew_->Stop(patience); }

}  // namespace goplugin::internal

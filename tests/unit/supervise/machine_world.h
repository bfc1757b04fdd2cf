#ifndef TESTS_UNIT_SUPERVISE_MACHINE_WORLD_H_
#define TESTS_UNIT_SUPERVISE_MACHINE_WORLD_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/internal/supervise/machine.h"

namespace goplugin::testing {

// What a machine decides over: processes without processes. Does what it is
// told and answers as the test wants.
class MachineWorld {
 public:
  enum class Reply { kYes, kNo, kNever };

  struct Process {
    std::uint64_t id = 0;
    int slot = 0;
    int version = 0;
    bool launched = false;
    bool asked_to_prepare = false;
    bool used = false;
    bool ending = false;
    bool checking = false;
    internal::Activity activity;
  };
  struct StartRecord {
    absl::Duration when;
    std::uint64_t id;
    int slot;
    int version;
  };

  explicit MachineWorld(SupervisorOptions options)
      : machine(options, {[this] { return random; },
                          [this](std::uint64_t id) {
                            const auto found = live.find(id);
                            return found == live.end() ? internal::Activity()
                                                       : found->second.activity;
                          }}) {}

  // What becomes of launches, preparations, ends, and questions for health, at
  // once; kNever: the test says.
  Reply launches = Reply::kYes;
  Reply preparations = Reply::kYes;
  Reply ends = Reply::kYes;
  bool answers_health = true;
  internal::HealthAnswer health = internal::HealthAnswer::kServing;
  bool unhealable = false;
  double random = 0.5;

  absl::Duration now = absl::Seconds(1000);
  internal::Machine machine;
  // Started, and something is left of it.
  std::map<std::uint64_t, Process> live;
  std::vector<StartRecord> starts;
  std::vector<std::uint64_t> ended;
  std::map<internal::Request, absl::Status> answers;
  int checks = 0;
  // What the machine must never do, and did.
  std::vector<std::string> offences;

  // Starts with `request` 1.
  void Begin() {
    machine.Start(now, 1);
    Pump();
  }

  // Does what was decided, and what that leads to.
  void Pump() {
    if (std::exchange(pumping_, true)) return;
    for (;;) {
      const internal::Decisions decisions = machine.TakeDecisions();
      for (const internal::Decision& decision : decisions) Do(decision);
      if (!decisions.empty()) continue;
      if (reactions_.empty()) break;
      const std::function<void()> reaction = std::move(reactions_.front());
      reactions_.pop_front();
      reaction();
    }
    pumping_ = false;
  }

  // Lets time pass, with a look whenever one is due.
  void Advance(absl::Duration time) {
    const absl::Duration until = now + time;
    for (int idle = 0; machine.next_look() <= until; ++idle) {
      if (machine.next_look() > now) idle = 0;
      if (idle > 100) {
        offences.push_back("it is busy with itself");
        break;
      }
      now = std::max(now, machine.next_look());
      machine.OnTime(now);
      Pump();
    }
    now = until;
  }

  // The one that serves in `slot`; 0 when there is none.
  std::uint64_t Used(int slot) const {
    for (const auto& [id, process] : live) {
      if (process.slot == slot && process.used) return id;
    }
    return 0;
  }
  std::vector<std::uint64_t> AllUsed() const {
    std::vector<std::uint64_t> used;
    for (const auto& [id, process] : live) {
      if (process.used) used.push_back(id);
    }
    return used;
  }

  void Launched(std::uint64_t id) {
    live[id].launched = true;
    machine.OnLaunched(now, id);
    Pump();
  }
  void StartFails(std::uint64_t id) {
    live.erase(id);
    machine.OnStartFailed(now, id, Failure("start", id), unhealable);
    Pump();
  }
  void Prepared(std::uint64_t id, bool ok = true) {
    machine.OnPrepared(now, id, ok ? absl::OkStatus() : Failure("prepare", id),
                       /*unhealable=*/false);
    Pump();
  }
  void Health(std::uint64_t id, internal::HealthAnswer answer) {
    live[id].checking = false;
    machine.OnHealth(now, id, answer);
    Pump();
  }
  void Exit(std::uint64_t id) {
    if (live[id].ending) return Ended(id);
    live.erase(id);
    ended.push_back(id);
    machine.OnExited(now, id, Failure("exit", id));
    Pump();
  }
  void Ended(std::uint64_t id) {
    live.erase(id);
    ended.push_back(id);
    machine.OnEnded(now, id, absl::OkStatus());
    Pump();
  }

  static absl::Status Failure(const std::string& what, std::uint64_t id) {
    return absl::UnavailableError(absl::StrCat(what, " of ", id));
  }

 private:
  void Offend(const std::string& what, const internal::Decision& decision) {
    offences.push_back(absl::StrCat(what, ", generation ", decision.generation,
                                    ", at ", absl::FormatDuration(now)));
  }

  void Do(const internal::Decision& decision) {
    using Kind = internal::Decision::Kind;
    const std::uint64_t id = decision.generation;
    if (decision.kind == Kind::kAnswer) {
      if (!answers.emplace(decision.request, decision.status).second) {
        Offend("a second answer", decision);
      }
      return;
    }
    if (decision.kind == Kind::kStart) return Start(decision);
    const auto found = live.find(id);
    if (found == live.end()) {
      // A withdrawal may come after the exit that it is for.
      if (decision.kind != Kind::kWithdraw) Offend("of nobody", decision);
      return;
    }
    Process& process = found->second;
    switch (decision.kind) {
      case Kind::kPrepare:
        process.asked_to_prepare = true;
        if (preparations != Reply::kNever) {
          const bool ok = preparations == Reply::kYes;
          React(id, [this, id, ok] { Prepared(id, ok); });
        }
        return;
      case Kind::kCheck:
        if (process.checking) Offend("asked twice", decision);
        ++checks;
        process.checking = true;
        if (answers_health) React(id, [this, id] { Health(id, health); });
        return;
      case Kind::kUse:
        if (!process.launched || process.ending) Offend("unready", decision);
        process.used = true;
        return;
      case Kind::kWithdraw:
        process.used = false;
        return;
      case Kind::kEnd:
        if (process.ending) Offend("ended twice", decision);
        if (process.used) Offend("ended in use", decision);
        process.ending = true;
        if (ends == Reply::kYes) React(id, [this, id] { Ended(id); });
        return;
      default:
        return;
    }
  }

  void Start(const internal::Decision& decision) {
    starts.push_back(
        {now, decision.generation, decision.slot, decision.version});
    Process process;
    process.id = decision.generation;
    process.slot = decision.slot;
    process.version = decision.version;
    live[process.id] = process;
    const std::uint64_t id = process.id;
    if (launches == Reply::kYes) React(id, [this, id] { Launched(id); });
    if (launches == Reply::kNo) React(id, [this, id] { StartFails(id); });
  }

  // After all that is decided, if it is still there.
  void React(std::uint64_t id, std::function<void()> reaction) {
    reactions_.push_back([this, id, reaction = std::move(reaction)] {
      if (live.count(id) != 0) reaction();
    });
  }

  bool pumping_ = false;
  std::deque<std::function<void()>> reactions_;
};

}  // namespace goplugin::testing

#endif  // TESTS_UNIT_SUPERVISE_MACHINE_WORLD_H_

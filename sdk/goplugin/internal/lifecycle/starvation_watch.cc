#include "goplugin/internal/lifecycle/starvation_watch.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/lifecycle/steps.h"
#include "goplugin/internal/process/process_stat.h"
#include "goplugin/internal/rpc/health.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(500);
constexpr std::int64_t kTicks = 4;      // 2 s
constexpr std::int64_t kExcused = 40;   // 20 s
constexpr std::int64_t kLongest = 600;  // 5 min

constexpr char kAdvice[] =
    "give its server more threads (Python: max_workers of 4 and more)";

// The plugin has said something, if only that it can't.
bool IsAnswer(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::UNAVAILABLE:
      return false;
    default:
      return true;
  }
}

}  // namespace

StarvationWatch::StarvationWatch(Setup setup)
    : setup_(std::move(setup)),
      patience_(kTicks + absl::ToInt64Milliseconds(2 * setup_.first_answer) /
                             absl::ToInt64Milliseconds(kTick)),
      tick_(setup_.loop) {}

void StarvationWatch::Start() { Check(); }

void StarvationWatch::Check() {
  OnAsked();
  check_.Cancel();
  check_ = CheckHealth(
      setup_.control(), setup_.channel(), absl::InfiniteDuration(),
      [work = setup_.begin_work(), &loop = setup_.loop, weak = weak_from_this(),
       number = ++checks_](
          const grpc::Status& status,
          wire::HealthCheckResponse::ServingStatus /*serving*/) mutable {
        loop.Post([weak = std::move(weak), status, number] {
          const auto self = weak.lock();
          if (self == nullptr) return;
          const bool beside_output = self->state_ == State::kOpen;
          self->OnAnswer(status);
          // Older ones may have been answered while it was closed.
          if (beside_output && number == self->checks_ && IsAnswer(status) &&
              std::exchange(self->doubted_, false)) {
            self->BePatient();
          }
        });
        work.reset();
      });
}

void StarvationWatch::OnAsked() {
  if (state_ == State::kOver) return;
  if (asked_++ == 0) ticks_ = 0;
  StartTicks();
}

void StarvationWatch::OnAnswer(const grpc::Status& status) {
  if (state_ == State::kOver) return;
  --asked_;
  if (!IsAnswer(status)) return;
  if (!ever_answered_ &&
      status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
    return OnRefused();
  }
  ever_answered_ = true;
  ticks_ = 0;
  if (state_ == State::kStuck) {
    state_ = State::kOpen;
    BePatient();
    setup_.explain("");
    return Check();
  }
  if (state_ != State::kOpen) return OnHelped();
  setup_.explain("");
}

void StarvationWatch::End() {
  state_ = State::kOver;
  tick_.Cancel();
  check_.Cancel();
  check_ = CallHandle();
}

void StarvationWatch::StartTicks() {
  if (std::exchange(ticking_, true)) return;
  tick_.Start(kTick, [this] { Tick(); });
}

void StarvationWatch::Tick() {
  ticking_ = IsWaiting();
  if (!ticking_) return;
  TakeStep(
      setup_.steps, setup_.loop, weak_from_this(),
      [pid = setup_.pid] {
        const absl::optional<ProcessStat> stat =
            pid > 0 ? ReadProcessStat(pid) : absl::nullopt;
        return stat.has_value() && stat->is_stopped;
      },
      [](StarvationWatch& self, bool stopped) { self.OnTick(stopped); });
}

void StarvationWatch::OnTick(bool stopped) {
  ticking_ = false;
  if (!IsWaiting()) return;
  ticks_ = stopped || IsExcused() ? 0 : ticks_ + 1;
  if (!stopped && state_ == State::kOpen) {
    setup_.explain(absl::StrCat(
        "the plugin answers no health check either: it is stuck, or answers "
        "too few calls at once (",
        kAdvice, ")"));
  }
  if (ticks_ == patience_) OnUnanswered();
  if (!IsWaiting()) return;
  // It was refused, and may not be now.
  if (asked_ == 0) return Check();
  StartTicks();
}

bool StarvationWatch::IsExcused() {
  return state_ == State::kWithoutOutput && setup_.early_call() &&
         ++excused_ <= kExcused;
}

bool StarvationWatch::IsWaiting() const {
  switch (state_) {
    case State::kOpen:
      return asked_ > 0;
    case State::kWithoutOutput:
    case State::kWithoutBoth:
      return true;
    default:
      return false;
  }
}

void StarvationWatch::OnUnanswered() {
  ticks_ = 0;
  if (state_ == State::kOpen) {
    state_ = State::kWithoutOutput;
    if (setup_.close_output()) return Check();
  }
  if (state_ == State::kWithoutOutput && !ever_answered_ && !refused_ &&
      setup_.close_broker()) {
    state_ = State::kWithoutBoth;
    return Check();
  }
  OnStuck();
}

// The streams were let in, so it is calls that are too many; what is closed
// takes its time to go.
void StarvationWatch::OnRefused() {
  refused_ = true;
  if (state_ != State::kOpen) return StartTicks();
  ticks_ = 0;
  state_ = State::kWithoutOutput;
  if (!setup_.close_output()) return End();
  Check();
}

void StarvationWatch::OnHelped() {
  const bool may_be_chance = state_ == State::kWithoutOutput && !refused_;
  if (may_be_chance && !std::exchange(doubted_, true)) {
    state_ = State::kOpen;
    OpenAgain();
    return Check();
  }
  const bool both = state_ == State::kWithoutBoth;
  const std::string text = absl::StrCat(
      "the plugin answers too few calls at once: none beside the streams that "
      "this library keeps open, until ",
      both ? "those of its broker and its output were closed, which now stay "
             "closed"
           : "that of its output was closed, which now stays closed: what it "
             "prints over GRPCStdio is not read",
      "; ", kAdvice);
  End();
  setup_.explain(text);
  setup_.warn(text);
}

void StarvationWatch::OpenAgain() {
  setup_.open_output();
  setup_.warn(
      "the plugin answered no health check for a while, in which the stream of "
      "its output was closed; it is open again: what was printed meanwhile may "
      "be lost");
}

void StarvationWatch::BePatient() {
  patience_ = std::max(patience_, std::min(2 * patience_, kLongest));
}

void StarvationWatch::OnStuck() {
  const bool never = !ever_answered_ && !refused_;
  state_ = State::kStuck;
  if (!never) {
    OpenAgain();
    return setup_.explain("");
  }
  setup_.open_output();
  setup_.warn(absl::StrCat(
      "the plugin answers no health check since its streams were opened, and "
      "to close them did not help: it is stuck, or its threads are (",
      kAdvice, ")"));
}

}  // namespace goplugin::internal

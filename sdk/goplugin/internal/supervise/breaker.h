#ifndef GOPLUGIN_INTERNAL_SUPERVISE_BREAKER_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_BREAKER_H_

#include <deque>

#include "absl/time/time.h"
#include "goplugin/supervisor_options.h"

namespace goplugin::internal {

// Whether anything is restarted: of all replicas together. Pure.
//
//   kClosed --too many failures, or one that no retry heals--> kOpen
//   kOpen --cool_down--> kProbing --it is ready--> kClosed
//                            |
//                            +--it fails--> kOpen
class Breaker {
 public:
  enum class State { kClosed, kOpen, kProbing };

  explicit Breaker(const RestartPolicy& policy) : policy_(policy) {}

  // `unhealable`: by no retry. `probe`: of the one start that was tried.
  void OnFailure(absl::Duration now, bool unhealable, bool probe);

  State state() const { return state_; }
  bool open() const { return state_ != State::kClosed; }
  bool probing() const { return state_ == State::kProbing; }
  // When a probe may start; InfiniteDuration when it is closed or probes, and
  // for never.
  absl::Duration probe_at() const;
  void BeginProbe() { state_ = State::kProbing; }
  // The probe went well.
  void Close() { state_ = State::kClosed; }
  // The probe was taken away before it was known.
  void Reopen(absl::Duration now);
  // Somebody has seen to it: what was is forgotten.
  void Reset();

 private:
  const RestartPolicy policy_;
  State state_ = State::kClosed;
  absl::Duration opened_at_ = absl::ZeroDuration();
  // When the last failures came: as many as open it.
  std::deque<absl::Duration> failures_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_BREAKER_H_

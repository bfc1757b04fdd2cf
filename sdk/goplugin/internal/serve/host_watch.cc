#include "goplugin/internal/serve/host_watch.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/serve/host_connections.h"

namespace goplugin::internal {
namespace {

// For the end of a process that nothing tells of, and for connections: one that
// has ended already, and the first one.
constexpr absl::Duration kPollTime = absl::Seconds(1);
constexpr absl::Duration kVisitTime = absl::Milliseconds(500);

// True when `end` is readable.
bool Sleep(int end, std::vector<pollfd> watched, absl::Duration at_most) {
  watched.push_back({end, POLLIN, 0});
  const int milliseconds =
      at_most == absl::InfiniteDuration()
          ? -1
          : static_cast<int>(absl::ToInt64Milliseconds(
                absl::Ceil(at_most, absl::Milliseconds(1))));
  const int ready = poll(watched.data(), watched.size(), milliseconds);
  return ready > 0 && watched.back().revents != 0;
}

std::uint64_t Visits(const HostDoor& door) {
  return door.visits ? door.visits() : 0;
}

}  // namespace

HostWatch::HostWatch() {
  bool has_line = false;
  for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO}) {
    HostOutput output(descriptor);
    if (!output.tells()) continue;
    has_line = has_line || descriptor == STDOUT_FILENO;
    outputs_.push_back(std::move(output));
  }
  if (outputs_.empty()) return;
  starter_ = FindStarter(has_line ? &outputs_.front() : nullptr, outputs_);
  if (!starter_.reads_line) return;
  // What is left is read by somebody else, who may read for ever: what the host
  // itself writes to, or a shell has redirected.
  const auto is_anothers = [this](const HostOutput& output) {
    return output.OtherEndOf(starter_.process.pid()) ==
           HostOutput::OtherEnd::kNotHeld;
  };
  outputs_.erase(
      std::remove_if(outputs_.begin() + 1, outputs_.end(), is_anothers),
      outputs_.end());
}

bool HostWatch::WaitForLoss(int end, const HostDoor& door) {
  ForgetWhoHasLeft(door);
  const Stopwatch clock;
  LostHost host;
  for (;;) {
    const LostHost::Verdict verdict = host.See(Look(door), clock.Elapsed());
    if (verdict.gone) return true;
    if (Sleep(end, watched_, std::min(verdict.look_again, look_again_))) {
      return false;
    }
  }
}

void HostWatch::ForgetWhoHasLeft(const HostDoor& door) {
  const auto ended = EndedInBetween();
  // The host may have the line for long, and whoever has come may have ended
  // them since. So that is asked last.
  if (Visits(door) == 0) {
    starter_.between.erase(ended, starter_.between.end());
  }
}

absl::optional<HostSign> HostWatch::Look(const HostDoor& door) {
  watched_.clear();
  connections_.clear();
  look_again_ = absl::InfiniteDuration();
  const absl::optional<HostSign> visit = LookForVisits(door);
  absl::optional<HostSign> sign = LookForReaders();
  if (!sign.has_value()) sign = LookForStarter();
  if (!sign.has_value()) sign = LookForConnections(door.name);
  if (sign.has_value() || !visit.has_value()) return sign;
  look_again_ = kVisitTime;
  return visit;
}

absl::optional<HostSign> HostWatch::LookForReaders() {
  for (const HostOutput& output : outputs_) {
    if (output.has_reader()) watched_.push_back({output.descriptor(), 0, 0});
  }
  if (watched_.empty()) return absl::nullopt;
  return HostSign::kReader;
}

absl::optional<HostSign> HostWatch::LookForStarter() {
  // It may live until it has connected, and be lost like any other then.
  if (starter_.is_outside && visits_ == 0) {
    look_again_ = kVisitTime;
    return HostSign::kStarter;
  }
  if (!starter_.process.lives()) return absl::nullopt;
  const auto ended = EndedInBetween();
  const bool all_live = ended == starter_.between.end();
  // The host has seen the end of what it had started, and lets go: what it
  // started has left this process behind.
  if (!all_live && visits_ != 0) return absl::nullopt;
  // One that has ended since wakes at once.
  Watch(starter_.process);
  std::for_each(starter_.between.begin(), ended,
                [this](const ForeignProcess& process) { Watch(process); });
  // Nothing tells here of the first visit.
  if (!all_live) look_again_ = kVisitTime;
  return HostSign::kStarter;
}

std::vector<ForeignProcess>::iterator HostWatch::EndedInBetween() {
  return std::partition(
      starter_.between.begin(), starter_.between.end(),
      [](const ForeignProcess& process) { return process.lives(); });
}

void HostWatch::Watch(const ForeignProcess& process) {
  if (process.descriptor() >= 0) {
    watched_.push_back({process.descriptor(), POLLIN, 0});
  } else {
    look_again_ = kPollTime;
  }
}

absl::optional<HostSign> HostWatch::LookForConnections(
    const std::string& listener) {
  absl::optional<std::vector<UniqueFd>> connections = HostConnections(listener);
  if (!connections.has_value()) {
    look_again_ = kVisitTime;
    return HostSign::kConnection;
  }
  if (connections->empty()) return absl::nullopt;
  connections_ = *std::move(connections);
  for (const UniqueFd& connection : connections_) {
    watched_.push_back({connection.get(), POLLRDHUP, 0});
  }
  return HostSign::kConnection;
}

absl::optional<HostSign> HostWatch::LookForVisits(const HostDoor& door) {
  const std::uint64_t visits = Visits(door);
  if (std::exchange(visits_, visits) == visits) return absl::nullopt;
  return HostSign::kConnection;
}

}  // namespace goplugin::internal

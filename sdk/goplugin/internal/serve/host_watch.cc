#include "goplugin/internal/serve/host_watch.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/serve/host_connections.h"

namespace goplugin::internal {
namespace {

// For a sign whose end nothing tells, and for a connection that has ended
// already.
constexpr absl::Duration kPollTime = absl::Seconds(2);
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

bool HasEnded(const ForeignProcess& process) { return !process.lives(); }

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
  // A shell that has left it at once ("plugin &") has not failed.
  auto& between = starter_.between;
  between.erase(std::remove_if(between.begin(), between.end(), HasEnded),
                between.end());
  const Stopwatch clock;
  LostHost host;
  for (;;) {
    const absl::optional<HostSign> sign = Look(door);
    const LostHost::Verdict verdict = host.See(sign, clock.Elapsed());
    if (verdict.gone) return true;
    absl::Duration at_most = verdict.look_again;
    if (sign.has_value() && watched_.empty()) {
      at_most = sign == HostSign::kConnection ? kVisitTime : kPollTime;
    }
    if (Sleep(end, watched_, at_most)) return false;
  }
}

absl::optional<HostSign> HostWatch::Look(const HostDoor& door) {
  watched_.clear();
  connections_.clear();
  const absl::optional<HostSign> visit = LookForVisits(door);
  absl::optional<HostSign> sign = LookForReaders();
  if (!sign.has_value()) sign = LookForStarter();
  if (!sign.has_value()) sign = LookForConnections(door.name);
  if (!sign.has_value()) sign = visit;
  return sign;
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
  if (starter_.is_outside && visits_ == 0) return HostSign::kStarter;
  if (!starter_.process.lives()) return absl::nullopt;
  // Who lives is watched, and looked at once for both: one that ends meanwhile
  // wakes at once.
  const auto watch = [this](const ForeignProcess& process) {
    if (process.descriptor() < 0) return;
    watched_.push_back({process.descriptor(), POLLIN, 0});
  };
  watch(starter_.process);
  bool has_ended = false;
  for (const ForeignProcess& process : starter_.between) {
    if (process.lives()) {
      watch(process);
    } else {
      has_ended = true;
    }
  }
  // The host has seen the end of what it had started, and lets go: what it
  // started has left this process behind.
  if (!has_ended || visits_ == 0) return HostSign::kStarter;
  watched_.clear();
  return absl::nullopt;
}

absl::optional<HostSign> HostWatch::LookForConnections(
    const std::string& listener) {
  absl::optional<std::vector<UniqueFd>> connections = HostConnections(listener);
  if (connections.has_value() && connections->empty()) return absl::nullopt;
  if (connections.has_value()) connections_ = *std::move(connections);
  for (const UniqueFd& connection : connections_) {
    watched_.push_back({connection.get(), POLLRDHUP, 0});
  }
  return HostSign::kConnection;
}

absl::optional<HostSign> HostWatch::LookForVisits(const HostDoor& door) {
  const std::uint64_t visits = door.visits ? door.visits() : 0;
  if (std::exchange(visits_, visits) == visits) return absl::nullopt;
  return HostSign::kConnection;
}

}  // namespace goplugin::internal

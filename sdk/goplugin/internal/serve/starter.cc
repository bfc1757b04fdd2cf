#include "goplugin/internal/serve/starter.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/files/directory_reader.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/net/peer.h"
#include "goplugin/internal/process/process_stat.h"

namespace goplugin::internal {
namespace {

using OtherEnd = HostOutput::OtherEnd;

// Shells that start shells: more than anybody has.
constexpr int kMostAncestors = 16;
constexpr absl::Duration kLongestSearch = absl::Milliseconds(100);
// The first process of a pid namespace, which takes the orphans.
constexpr pid_t kInit = 1;

// 0 where it is not known.
pid_t ParentOf(pid_t pid) {
  if (pid == getpid()) return getppid();
  const absl::optional<ProcessStat> stat = ReadProcessStat(pid);
  return stat.has_value() && !stat->has_ended ? stat->parent : 0;
}

// The parent first; none after the first that `is_last`.
std::vector<ForeignProcess> Ancestors(
    absl::FunctionRef<bool(const ForeignProcess&)> is_last) {
  std::vector<ForeignProcess> ancestors;
  pid_t child = getpid();
  for (int i = 0; i < kMostAncestors; ++i) {
    const pid_t parent = ParentOf(child);
    if (parent <= 0) break;
    ForeignProcess process(parent);
    // Else it has ended meanwhile, and the number may be another's.
    if (ParentOf(child) != parent) continue;
    ancestors.push_back(std::move(process));
    if (is_last(ancestors.back())) break;
    child = parent;
  }
  return ancestors;
}

// Was given all of them as this process was: the host has the other ends.
bool IsInBetween(pid_t pid, const std::vector<HostOutput>& outputs) {
  return !outputs.empty() && std::all_of(outputs.begin(), outputs.end(),
                                         [pid](const HostOutput& output) {
                                           return output.IsSharedBy(pid);
                                         });
}

std::vector<ForeignProcess>::iterator FirstNotInBetween(
    std::vector<ForeignProcess>& ancestors,
    const std::vector<HostOutput>& outputs) {
  return std::find_if(ancestors.begin(), ancestors.end(),
                      [&outputs](const ForeignProcess& process) {
                        return !IsInBetween(process.pid(), outputs);
                      });
}

// Whoever has the other end of a pipe, ancestor or not: pid 0 for nobody that
// may be looked at.
ForeignProcess SearchReader(const HostOutput& line) {
  const Stopwatch clock;
  const UniqueFd directory(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DirectoryReader reader(directory.get());
  if (!reader.valid()) return {};
  while (const dirent* entry = reader.Next()) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid) || pid == getpid()) continue;
    if (clock.Elapsed() > kLongestSearch) break;
    ForeignProcess process(pid);
    if (line.OtherEndOf(pid) == OtherEnd::kHeld) return process;
  }
  return {};
}

// Whether this process was left by what has started it, or that can be seen not
// to be the host: who else has the pipe's end is no mere heir of it.
bool MayBeAnyOther(const HostOutput& line,
                   const std::vector<ForeignProcess>& ancestors) {
  if (ancestors.empty()) return false;
  const pid_t parent = ancestors.front().pid();
  return parent == kInit || line.OtherEndOf(parent) == OtherEnd::kNotHeld;
}

}  // namespace

ForeignProcess::ForeignProcess(pid_t pid)
    : pid_(pid), pidfd_(OpenProcess(pid)) {
  const absl::optional<ProcessStat> stat = ReadProcessStat(pid);
  if (stat.has_value()) start_time_ = stat->start_time;
}

bool ForeignProcess::lives() const {
  if (pid_ <= 0) return false;
  if (pidfd_.valid()) {
    pollfd ended = {pidfd_.get(), POLLIN, 0};
    return poll(&ended, 1, 0) == 0;
  }
  const absl::optional<ProcessStat> stat = ReadProcessStat(pid_);
  // Without a descriptor left for one it can't be read.
  if (!stat.has_value()) return kill(pid_, 0) == 0 || errno == EPERM;
  return !stat->has_ended &&
         (start_time_ == 0 || stat->start_time == start_time_);
}

Starter FindStarter(const HostOutput* line,
                    const std::vector<HostOutput>& outputs) {
  Starter starter;
  starter.is_outside = getppid() == 0;
  // With other numbers in /proc nothing is known of anybody.
  const bool known = ProcHasOurNumbers();
  const bool has_line = known && line != nullptr && line->is_pipe();
  // Mostly it is the parent: no need to look at those above it.
  std::vector<ForeignProcess> ancestors =
      Ancestors([&](const ForeignProcess& process) {
        starter.reads_line =
            has_line && line->OtherEndOf(process.pid()) == OtherEnd::kHeld;
        return starter.reads_line;
      });
  if (!known) {
    if (!ancestors.empty()) starter.process = std::move(ancestors.front());
    return starter;
  }
  auto found = ancestors.end();
  if (starter.reads_line) {
    --found;
  } else if (has_line && MayBeAnyOther(*line, ancestors)) {
    starter.process = SearchReader(*line);
    starter.reads_line = starter.process.pid() > 0;
    // An ancestor all the same, if a busy machine has kept it from being seen.
    found = std::find_if(ancestors.begin(), ancestors.end(),
                         [pid = starter.process.pid()](const auto& process) {
                           return process.pid() == pid;
                         });
  }
  if (!starter.reads_line) found = FirstNotInBetween(ancestors, outputs);
  if (found == ancestors.end()) return starter;
  starter.process = std::move(*found);
  starter.between.assign(std::make_move_iterator(ancestors.begin()),
                         std::make_move_iterator(found));
  return starter;
}

}  // namespace goplugin::internal

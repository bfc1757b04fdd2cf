#include "goplugin/internal/process/descendants.h"

#include <dirent.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/net/peer.h"
#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/process/process_stat.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/process/wait_child.h"

namespace goplugin::internal {
namespace {

constexpr size_t kMostProcesses = 256;
constexpr absl::Duration kLongestLook = absl::Milliseconds(20);

// What has ended and stays unreaped so long is not this process's to reap.
constexpr int kPatience = 50;

bool Send(int pidfd, int signal) {
  return PidfdSendSignal(pidfd, signal, 0) == 0;
}

bool HasEnded(int pidfd) {
  pollfd end = {pidfd, POLLIN, 0};
  return poll(&end, 1, 0) != 0;
}

// What /proc/PID/task/TID/children tells, number by number, until `take` says
// no.
template <typename Take>
void ReadNumbers(const std::string& path, Take take) {
  std::ifstream file(path);
  for (pid_t number = 0; file >> number;) {
    if (!take(number)) return;
  }
}

}  // namespace

struct Descendants::Look {
  bool is_over() const { return clock.Elapsed() > kLongestLook; }

  // Each is stopped before its children are looked for.
  const bool stops;
  // Nothing new was found, each has none but those known, and can't have.
  bool is_complete = true;
  const Stopwatch clock = {};
};

bool Descendants::Knows(pid_t pid) const {
  return std::any_of(found_.begin(), found_.end(), [pid](const Process& one) {
    return one.pid == pid && !HasEnded(one.pidfd.get());
  });
}

void Descendants::Add(Descendants others) {
  for (Process& other : others.found_) {
    if (!Knows(other.pid)) found_.push_back(std::move(other));
  }
}

void Descendants::AddChild(pid_t pid, pid_t parent, Look& look) {
  if (Knows(pid)) return;
  Process child;
  child.pid = pid;
  child.pidfd = OpenProcess(pid);
  // A zombie: there may be thousands.
  if (!child.pidfd.valid() || HasEnded(child.pidfd.get())) return;
  // Asked by the number, when what has it is held.
  const absl::optional<ProcessStat> stat = ReadProcessStat(pid);
  if (!stat.has_value() || stat->parent != parent) return;
  look.is_complete = false;
  found_.push_back(std::move(child));
}

// The children of all its threads.
void Descendants::AddChildren(pid_t parent, int pidfd, Look& look) {
  const std::string tasks = absl::StrCat("/proc/", parent, "/task");
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(tasks.c_str()),
                                                      &closedir);
  if (directory == nullptr) return;
  const size_t before = found_.size();
  const auto is_enough = [this, &look] {
    return found_.size() >= kMostProcesses || look.is_over();
  };
  while (const dirent* task = readdir(directory.get())) {
    if (task->d_name[0] == '.') continue;
    if (is_enough()) break;
    ReadNumbers(absl::StrCat(tasks, "/", task->d_name, "/children"),
                [&](pid_t pid) {
                  AddChild(pid, parent, look);
                  return !is_enough();
                });
  }
  // Or its own number was somebody else's by then.
  if (HasEnded(pidfd)) found_.resize(before);
}

void Descendants::LookAt(pid_t pid, int pidfd, Look& look) {
  if (HasEnded(pidfd)) return;
  if (look.stops) {
    const bool may = Send(pidfd, SIGSTOP);
    // A fork that is under way comes to its end first, and adds a child.
    const absl::optional<ProcessStat> stat = ReadProcessStat(pid);
    if (may && stat.has_value() && !stat->is_stopped) look.is_complete = false;
  }
  AddChildren(pid, pidfd, look);
}

void Descendants::LookAtAll(const ChildProcess& child, bool reaped,
                            Look& look) {
  if (!ProcHasOurNumbers()) return;
  if (!reaped && child.pidfd.valid() && child.pid > 0) {
    LookAt(child.pid, child.pidfd.get(), look);
  }
  for (size_t next = 0; next < found_.size() && !look.is_over(); ++next) {
    LookAt(found_[next].pid, found_[next].pidfd.get(), look);
  }
}

void Descendants::Find(const ChildProcess& child, bool reaped) {
  Look look{/*stops=*/false};
  LookAtAll(child, reaped, look);
}

bool Descendants::Stop(const ChildProcess& child, bool reaped) {
  Look look{/*stops=*/true};
  LookAtAll(child, reaped, look);
  return look.is_complete && !look.is_over();
}

void Descendants::Signal(const ChildProcess& child, bool reaped, int signal) {
  Look look{/*stops=*/signal == SIGKILL};
  LookAtAll(child, reaped, look);
  // Its group gets the gentler ones but once.
  const bool by_group = child.leads_group && !reaped && signal != SIGKILL;
  const auto may_not = [&](const Process& one) {
    if (by_group && getpgid(one.pid) == child.pid) return false;
    return !Send(one.pidfd.get(), signal) && errno == EPERM;
  };
  found_.erase(std::remove_if(found_.begin(), found_.end(), may_not),
               found_.end());
  // Last: it is what the others hang on.
  if (!reaped) SendSignal(child, signal, child.leads_group);
}

size_t Descendants::Reap() {
  const auto is_gone = [](Process& one) {
    if (!HasEnded(one.pidfd.get())) return false;
    siginfo_t info = {};
    if (WaitChild(one.pid, one.pidfd.get(), WEXITED | WNOHANG, &info) == 0) {
      return true;
    }
    // Reaped by its parent, or that is still on its way out.
    return !Send(one.pidfd.get(), 0) || ++one.seen_ended > kPatience;
  };
  found_.erase(std::remove_if(found_.begin(), found_.end(), is_gone),
               found_.end());
  return found_.size();
}

}  // namespace goplugin::internal

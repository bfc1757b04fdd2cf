#include "goplugin/internal/process/spawn.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/child_setup.h"
#include "goplugin/internal/process/diagnose.h"
#include "goplugin/internal/process/resolve.h"
#include "goplugin/internal/process/wait_child.h"

namespace goplugin::internal {
namespace {

// A file that was just written can be busy for a moment: another thread's child
// may hold the writer's descriptor between its clone and its exec.
// 100 ms in all; counted, since the wall clock may jump.
constexpr int kBusyRetries = 50;
constexpr absl::Duration kBusyPause = absl::Milliseconds(2);

// The child's ends, and the numbers 0 to 2 of the child to be.
struct ChildStdio {
  UniqueFd stdin_fd;  // invalid: the host's own
  UniqueFd stdout_fd;
  UniqueFd stderr_fd;
};

bool HasNul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

absl::Status NulError(const char* where, const std::string& text) {
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = absl::StrCat(where, " holds a NUL byte");
  details.evidence = {Quote(text)};
  details.hint = "remove it: no program can be given one";
  return MakeError(details);
}

absl::Status CheckRequest(const SpawnRequest& request) {
  const Command& command = request.command;
  if (command.path.empty()) {
    return MakeError(Reason::kOptions, "the plugin command has no path",
                     "set Command::path to the plugin program's file");
  }
  if (HasNul(command.path)) return NulError("Command::path", command.path);
  if (HasNul(command.working_directory)) {
    return NulError("Command::working_directory", command.working_directory);
  }
  for (const std::string& argument : command.args) {
    if (HasNul(argument)) return NulError("Command::args", argument);
  }
  for (const std::string& variable : request.environment) {
    if (HasNul(variable)) return NulError("Command::env", variable);
  }
  return absl::OkStatus();
}

// Moves a descriptor out of the range of 0 to 2, which a host that closed its
// own gets handed by the kernel. The host's stdio stays as it was, and the
// child's dup can't hit its own source. False: errno is set.
bool MoveAboveStdio(UniqueFd& fd) {
  if (fd.get() > 2) return true;
  const int moved = fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
  if (moved < 0) return false;
  fd.reset(moved);
  return true;
}

bool MakePipe(UniqueFd& read_end, UniqueFd& write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  read_end.reset(ends[0]);
  write_end.reset(ends[1]);
  return MoveAboveStdio(read_end) && MoveAboveStdio(write_end) &&
         // Of the reading end alone: plugins expect a stdout that blocks.
         fcntl(read_end.get(), F_SETFL, O_NONBLOCK) == 0;
}

bool OpenNullDevice(UniqueFd& fd) {
  fd.reset(open("/dev/null", O_RDWR | O_CLOEXEC));
  return fd.valid() && MoveAboveStdio(fd);
}

// The first step that failed, or kExec when none did.
SpawnStep OpenStdio(Command::Stdin mode, ChildProcess& child,
                    ChildStdio& stdio) {
  // A plugin without any stdin would get its first file or socket there.
  const bool host_has_stdin = fcntl(0, F_GETFD) >= 0;
  if ((mode == Command::Stdin::kDevNull || !host_has_stdin) &&
      !OpenNullDevice(stdio.stdin_fd)) {
    return SpawnStep::kNullDevice;
  }
  if (!MakePipe(child.stdout_pipe, stdio.stdout_fd) ||
      !MakePipe(child.stderr_pipe, stdio.stderr_fd)) {
    return SpawnStep::kPipes;
  }
  return SpawnStep::kExec;
}

// exec promises not to write to the strings.
std::vector<char*> Pointers(const std::string* first,
                            const std::vector<std::string>& rest) {
  std::vector<char*> pointers;
  pointers.reserve(rest.size() + 2);
  if (first != nullptr) pointers.push_back(const_cast<char*>(first->c_str()));
  for (const std::string& text : rest) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

// All but the program and its strings. Points into `request`.
ChildPlan MakePlan(const SpawnRequest& request, const ChildStdio& stdio) {
  const Command& command = request.command;
  ChildPlan plan;
  if (!command.working_directory.empty()) {
    plan.working_directory = command.working_directory.c_str();
  }
  plan.stdin_fd = stdio.stdin_fd.get();
  plan.stdout_fd = stdio.stdout_fd.get();
  plan.stderr_fd = stdio.stderr_fd.get();
  plan.own_group = command.process_group == Command::ProcessGroup::kOwn;
  plan.die_with_host = request.die_with_host;
  return plan;
}

// Takes the child's place in the process table away again. It has left by then,
// so this does not block for long.
void ReapFailedChild(const CloneResult& result) {
  siginfo_t info = {};
  while (WaitChild(result.pid, result.pidfd.get(), WEXITED, &info) < 0 &&
         errno == EINTR) {
  }
}

CloneResult CloneWithRetries(const ChildPlan& plan) {
  for (int retries = 0;; ++retries) {
    CloneResult result = CloneAndExec(plan);
    if (result.error_number == 0) return result;
    if (result.pid > 0) ReapFailedChild(result);
    if (result.error_number != ETXTBSY || retries == kBusyRetries) {
      return result;
    }
    absl::SleepFor(kBusyPause);
  }
}

absl::Status Failure(const SpawnRequest& request, const std::string& program,
                     SpawnStep step, int error_number) {
  SpawnFailure failure;
  failure.program = program;
  failure.step = step;
  failure.error_number = error_number;
  const auto add = [&failure](const std::string& text) {
    failure.argument_bytes += text.size() + 1;
    failure.longest_argument =
        std::max(failure.longest_argument, text.size() + 1);
  };
  add(request.command.path);
  for (const std::string& argument : request.command.args) add(argument);
  for (const std::string& variable : request.environment) add(variable);
  return DiagnoseSpawn(request.command, failure);
}

void TakeChild(CloneResult result, ChildProcess& child) {
  child.pid = result.pid;
  child.pidfd = std::move(result.pidfd);
  if (!child.pidfd.valid()) return;
  // A failure leaves it where it is: usable, if oddly numbered.
  MoveAboveStdio(child.pidfd);
  // Linux 5.2 and 5.3 hand out pidfds that can be neither polled nor waited on.
  siginfo_t info = {};
  if (waitid(static_cast<idtype_t>(kWaitByPidfd),
             static_cast<id_t>(child.pidfd.get()), &info,
             WEXITED | WNOHANG | WNOWAIT) != 0 &&
      errno == EINVAL) {
    child.pidfd.reset();
  }
}

}  // namespace

absl::StatusOr<ChildProcess> Spawn(const SpawnRequest& request) {
  absl::Status valid = CheckRequest(request);
  if (!valid.ok()) return valid;
  const Command& command = request.command;
  absl::StatusOr<std::string> program = ResolveProgram(command);
  if (!program.ok()) return program.status();

  ChildProcess child;
  ChildStdio stdio;
  const SpawnStep failed = OpenStdio(command.stdin_mode, child, stdio);
  const int error_number = errno;
  if (failed != SpawnStep::kExec) {
    return Failure(request, *program, failed, error_number);
  }
  const std::vector<char*> argv = Pointers(&command.path, command.args);
  const std::vector<char*> environment = Pointers(nullptr, request.environment);
  ChildPlan plan = MakePlan(request, stdio);
  plan.program = program->c_str();
  plan.argv = argv.data();
  plan.environment = environment.data();

  CloneResult result = CloneWithRetries(plan);
  if (result.error_number != 0) {
    return Failure(request, *program, result.step, result.error_number);
  }
  TakeChild(std::move(result), child);
  child.leads_group = plan.own_group;
  return child;
}

}  // namespace goplugin::internal

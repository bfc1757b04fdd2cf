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
#include "goplugin/internal/process/child_descriptors.h"
#include "goplugin/internal/process/child_setup.h"
#include "goplugin/internal/process/diagnose.h"
#include "goplugin/internal/process/resolve.h"
#include "goplugin/internal/process/verified_program.h"
#include "goplugin/internal/process/wait_child.h"

namespace goplugin::internal {
namespace {

// A file that was just written can be busy for a moment: another thread's child
// may hold the writer's descriptor between its clone and its exec.
// 100 ms in all; counted, since the wall clock may jump.
constexpr int kBusyRetries = 50;
constexpr absl::Duration kBusyPause = absl::Milliseconds(2);

// What the child takes over, opened here.
struct ChildFiles {
  // Its ends of stdio.
  UniqueFd stdin_fd;  // invalid: the host's own
  UniqueFd stdout_fd;
  UniqueFd stderr_fd;
  UniqueFd program;  // invalid: executed by name
  std::vector<UniqueFd> control_groups;
  std::vector<UniqueFd> inherited;
};

// Where it failed, or error_number 0.
struct Problem {
  SpawnStep step = SpawnStep::kExec;
  int error_number = 0;
  size_t item = 0;
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
bool MoveAboveStdio(UniqueFd& fd) { return MoveAway({}, fd); }

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

// A pipe, or what the request brings in its place.
bool OpenOutput(int borrowed, UniqueFd& read_end, UniqueFd& write_end) {
  if (borrowed < 0) return MakePipe(read_end, write_end);
  write_end.reset(fcntl(borrowed, F_DUPFD_CLOEXEC, 3));
  return write_end.valid();
}

Problem OpenStdio(const SpawnRequest& request, ChildProcess& child,
                  ChildFiles& files) {
  // A plugin without any stdin would get its first file or socket there.
  const bool host_has_stdin = fcntl(0, F_GETFD) >= 0;
  const Command::Stdin mode = request.command.stdin_mode;
  if ((mode == Command::Stdin::kDevNull || !host_has_stdin) &&
      !OpenNullDevice(files.stdin_fd)) {
    return {SpawnStep::kNullDevice, errno};
  }
  if (!OpenOutput(request.stdout_fd, child.stdout_pipe, files.stdout_fd) ||
      !OpenOutput(request.stderr_fd, child.stderr_pipe, files.stderr_fd)) {
    return {SpawnStep::kPipes, errno};
  }
  return {};
}

// All but the program.
Problem OpenFiles(const SpawnRequest& request, ChildProcess& child,
                  ChildFiles& files) {
  const Command& command = request.command;
  const Problem stdio = OpenStdio(request, child, files);
  if (stdio.error_number != 0) return stdio;
  const OpenResult groups =
      OpenControlGroups(command.cgroups, files.control_groups);
  if (groups.error_number != 0) {
    return {SpawnStep::kOpenControlGroup, groups.error_number, groups.item};
  }
  const OpenResult inherited =
      DuplicateInherited(command.descriptors, files.inherited);
  return {SpawnStep::kDuplicate, inherited.error_number, inherited.item};
}

// The program by descriptor, when its digest is to be checked.
absl::Status OpenProgram(const SpawnRequest& request,
                         const std::string& program, UniqueFd& fd) {
  const Command& command = request.command;
  if (!command.secure_config.has_value()) return absl::OkStatus();
  absl::StatusOr<UniqueFd> opened =
      OpenVerifiedProgram(command, program, request.abandoned);
  if (!opened.ok()) return opened.status();
  fd = *std::move(opened);
  return absl::OkStatus();
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

template <typename T>
Items<T> ItemsOf(const std::vector<T>& vector) {
  return {vector.data(), vector.size()};
}

// A plan, and what it points to besides the request.
struct PreparedChild {
  std::vector<char*> argv;
  std::vector<char*> environment;
  std::vector<int> control_groups;
  std::vector<Command::Descriptor> descriptors;
  ChildPlan plan;
};

void PlanFiles(const Command& command, const ChildFiles& files,
               PreparedChild& child) {
  child.plan.stdin_fd = files.stdin_fd.get();
  child.plan.stdout_fd = files.stdout_fd.get();
  child.plan.stderr_fd = files.stderr_fd.get();
  child.plan.program_fd = files.program.get();
  for (const UniqueFd& group : files.control_groups) {
    child.control_groups.push_back(group.get());
  }
  child.plan.control_groups = ItemsOf(child.control_groups);
  child.descriptors = command.descriptors;
  for (size_t i = 0; i < child.descriptors.size(); ++i) {
    child.descriptors[i].host = files.inherited[i].get();
  }
  child.plan.descriptors = ItemsOf(child.descriptors);
}

// Fills `child`, which then stays where it is.
void Prepare(const SpawnRequest& request, const std::string& program,
             const ChildFiles& files, PreparedChild& child) {
  const Command& command = request.command;
  child.argv = Pointers(&command.path, command.args);
  child.environment = Pointers(nullptr, request.environment);
  ChildPlan& plan = child.plan;
  plan.program = program.c_str();
  plan.argv = child.argv.data();
  plan.environment = child.environment.data();
  if (!command.working_directory.empty()) {
    plan.working_directory = command.working_directory.c_str();
  }
  plan.own_group = command.process_group == Command::ProcessGroup::kOwn;
  plan.die_with_host = request.die_with_host;
  plan.resource_limits = ItemsOf(command.resource_limits);
  plan.nice = command.nice;
  if (command.user.has_value()) {
    plan.user = &*command.user;
    plan.groups = ItemsOf(command.user->groups);
  }
  plan.no_new_privileges = command.no_new_privileges;
  PlanFiles(command, files, child);
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
                     const Problem& problem) {
  SpawnFailure failure;
  failure.program = program;
  failure.step = problem.step;
  failure.error_number = problem.error_number;
  failure.item = problem.item;
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
  ChildFiles files;
  const absl::Status opened = OpenProgram(request, *program, files.program);
  if (!opened.ok()) return opened;
  const Problem problem = OpenFiles(request, child, files);
  if (problem.error_number != 0) return Failure(request, *program, problem);
  // The child's own numbers must not hit the program that it is to execute.
  if (files.program.valid() && !MoveAway(command.descriptors, files.program)) {
    return Failure(request, *program, {SpawnStep::kOpenProgram, errno});
  }

  PreparedChild prepared;
  Prepare(request, *program, files, prepared);
  CloneResult result = CloneWithRetries(prepared.plan);
  if (result.error_number != 0) {
    return Failure(request, *program,
                   {result.step, result.error_number, result.item});
  }
  TakeChild(std::move(result), child);
  child.leads_group = prepared.plan.own_group;
  return child;
}

}  // namespace goplugin::internal

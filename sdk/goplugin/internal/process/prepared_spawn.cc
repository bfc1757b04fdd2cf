#include "goplugin/internal/process/prepared_spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/process/child_descriptors.h"
#include "goplugin/internal/process/diagnose.h"
#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/process/left_children.h"
#include "goplugin/internal/process/resolve.h"
#include "goplugin/internal/process/verified_program.h"
#include "goplugin/internal/process/wait_child.h"

namespace goplugin::internal {
namespace {

// Moves a descriptor out of the range of 0 to 2, which a host that closed its
// own gets handed by the kernel. The host's stdio stays as it was, and the
// child's dup can't hit its own source. False: errno is set.
bool MoveAboveStdio(UniqueFd& fd) { return MoveAway({}, fd); }

bool MakePipe(UniqueFd& read_end, UniqueFd& write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  read_end.reset(ends[0]);
  write_end.reset(ends[1]);
  return MoveAboveStdio(read_end) && MoveAboveStdio(write_end);
}

bool MakeOutputPipe(UniqueFd& read_end, UniqueFd& write_end) {
  return MakePipe(read_end, write_end) &&
         // Of the reading end alone: plugins expect a stdout that blocks.
         fcntl(read_end.get(), F_SETFL, O_NONBLOCK) == 0;
}

bool OpenNullDevice(UniqueFd& fd) {
  fd.reset(open("/dev/null", O_RDWR | O_CLOEXEC));
  return fd.valid() && MoveAboveStdio(fd);
}

// A pipe, or what the request brings in its place.
bool OpenOutput(int borrowed, UniqueFd& read_end, UniqueFd& write_end) {
  if (borrowed < 0) return MakeOutputPipe(read_end, write_end);
  write_end.reset(fcntl(borrowed, F_DUPFD_CLOEXEC, 3));
  return write_end.valid();
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

// What the child does not have of its caller's.
std::string NoteOf(const CloneResult& result, const CallerContext& caller) {
  std::string note;
  const auto add = [&note](absl::string_view text) {
    absl::StrAppend(&note, note.empty() ? "" : "; ", text);
  };
  if (result.affinity_error != 0) {
    add(absl::ErrnoToStatus(result.affinity_error,
                            "the plugin can't be given its caller's processors")
            .message());
  }
  if (result.scheduling_error != 0) {
    add(absl::ErrnoToStatus(result.scheduling_error,
                            "the plugin can't be given its caller's scheduling "
                            "policy and nice value")
            .message());
  }
  if (caller.is_by_deadline) {
    add("the caller's SCHED_DEADLINE is its own: the plugin has the default "
        "policy");
  }
  return note;
}

ChildProcess MakeChild(CloneResult& result) {
  ChildProcess child;
  child.pid = result.pid;
  child.pidfd = std::move(result.pidfd);
  if (!child.pidfd.valid()) return child;
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
  return child;
}

// Takes a failed child's place in the process table away again. It is on its
// way out, which takes long only where closing a file does.
void ReapFailedChild(ChildProcess child) {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    if (TryReap(child).has_value()) return;
    pollfd end = {child.pidfd.get(), POLLIN, 0};
    poll(&end, 1, 1);
  }
  EndChild(std::move(child));
}

}  // namespace

PreparedSpawn::PreparedSpawn(SpawnRequest request,
                             std::shared_ptr<const CallerContext> caller)
    : request_(std::move(request)), caller_(std::move(caller)) {}

absl::Status PreparedSpawn::Prepare() {
  absl::StatusOr<std::string> program =
      ResolveProgram(request_.command, *caller_);
  if (!program.ok()) return program.status();
  program_ = *std::move(program);
  absl::Status opened = OpenProgram();
  if (!opened.ok()) return opened;
  const Problem problem = OpenFiles();
  if (problem.error_number != 0) return Failure(problem);
  // The child's own numbers must not hit the program that it is to execute.
  if (program_fd_.valid() &&
      !MoveAway(request_.command.descriptors, program_fd_)) {
    return Failure({SpawnStep::kOpenProgram, errno});
  }
  MakePlan();
  return absl::OkStatus();
}

// The program by descriptor, when its digest is to be checked.
absl::Status PreparedSpawn::OpenProgram() {
  if (!request_.command.secure_config.has_value()) return absl::OkStatus();
  absl::StatusOr<UniqueFd> opened = OpenVerifiedProgram(
      request_.command, program_, *caller_, request_.abandoned);
  if (!opened.ok()) return opened.status();
  program_fd_ = *std::move(opened);
  return absl::OkStatus();
}

// All but the program.
PreparedSpawn::Problem PreparedSpawn::OpenFiles() {
  const Command& command = request_.command;
  const Problem stdio = OpenStdio();
  if (stdio.error_number != 0) return stdio;
  const OpenResult groups =
      OpenControlGroups(command.cgroups, control_group_files_);
  if (groups.error_number != 0) {
    return {SpawnStep::kOpenControlGroup, groups.error_number, groups.item};
  }
  const OpenResult inherited =
      DuplicateInherited(command.descriptors, inherited_);
  return {SpawnStep::kDuplicate, inherited.error_number, inherited.item};
}

PreparedSpawn::Problem PreparedSpawn::OpenStdio() {
  // A plugin without any stdin would get its first file or socket there.
  const bool host_has_stdin = fcntl(0, F_GETFD) >= 0;
  const Command::Stdin mode = request_.command.stdin_mode;
  if (mode == Command::Stdin::kPipe) {
    if (!MakePipe(stdin_fd_, stdin_pipe_)) return {SpawnStep::kPipes, errno};
  } else if ((mode == Command::Stdin::kDevNull || !host_has_stdin) &&
             !OpenNullDevice(stdin_fd_)) {
    return {SpawnStep::kNullDevice, errno};
  }
  if (!OpenOutput(request_.stdout_fd, stdout_pipe_, stdout_fd_) ||
      !OpenOutput(request_.stderr_fd, stderr_pipe_, stderr_fd_)) {
    return {SpawnStep::kPipes, errno};
  }
  return {};
}

void PreparedSpawn::MakePlan() {
  const Command& command = request_.command;
  argv_ = Pointers(&command.path, command.args);
  environment_ = Pointers(nullptr, request_.environment);
  plan_.program = program_.c_str();
  plan_.argv = argv_.data();
  plan_.environment = environment_.data();
  if (!command.working_directory.empty()) {
    plan_.working_directory = command.working_directory.c_str();
  }
  plan_.own_group = command.process_group == Command::ProcessGroup::kOwn;
  plan_.die_with_host = request_.die_with_host;
  plan_.resource_limits = ItemsOf(command.resource_limits);
  plan_.nice = command.nice;
  if (command.user.has_value()) {
    plan_.user = &*command.user;
    plan_.groups = ItemsOf(command.user->groups);
  }
  plan_.no_new_privileges = command.no_new_privileges;
  PlanCaller();
  PlanDescriptors();
}

void PreparedSpawn::PlanCaller() {
  plan_.callers_directory = caller_->directory.get();
  plan_.ignored_signals = caller_->ignored_signals;
  plan_.affinity = ItemsOf(caller_->affinity);
  if (caller_->scheduling.has_value()) {
    plan_.scheduling = &*caller_->scheduling;
  }
}

void PreparedSpawn::PlanDescriptors() {
  plan_.stdin_fd = stdin_fd_.get();
  plan_.stdout_fd = stdout_fd_.get();
  plan_.stderr_fd = stderr_fd_.get();
  plan_.program_fd = program_fd_.get();
  if (program_fd_.valid()) kept_descriptors_.push_back(program_fd_.get());
  for (const UniqueFd& group : control_group_files_) {
    control_groups_.push_back(group.get());
  }
  plan_.control_groups = ItemsOf(control_groups_);
  descriptors_ = request_.command.descriptors;
  for (size_t i = 0; i < descriptors_.size(); ++i) {
    descriptors_[i].host = inherited_[i].get();
    kept_descriptors_.push_back(inherited_[i].get());
  }
  plan_.descriptors = ItemsOf(descriptors_);
  std::sort(kept_descriptors_.begin(), kept_descriptors_.end());
  plan_.kept_descriptors = ItemsOf(kept_descriptors_);
}

SpawnResult PreparedSpawn::Clone(CloneAttempt& attempt) {
  ChildPlan plan = plan_;
  // What this thread has is left alone: a mask that was never set follows the
  // processors that come and go.
  if (ReadAffinity() == caller_->affinity) plan.affinity = {};
  const absl::optional<Scheduling> own = ReadScheduling();
  if (plan.scheduling != nullptr && own.has_value() &&
      IsSame(*own, *plan.scheduling)) {
    plan.scheduling = nullptr;
  }
  CloneResult result = attempt.Run(plan);
  if (result.error_number == 0) {
    ChildProcess child = MakeChild(result);
    child.leads_group = plan.own_group;
    child.note = NoteOf(result, *caller_);
    return SpawnResult(std::move(child));
  }
  if (result.pid > 0) ReapFailedChild(MakeChild(result));
  return SpawnResult(result.step, result.error_number, result.item);
}

absl::StatusOr<ChildProcess> PreparedSpawn::Finish(SpawnResult result) {
  // The plugin alone holds its ends from here on.
  stdin_fd_.reset();
  stdout_fd_.reset();
  stderr_fd_.reset();
  if (!result.ok()) {
    return Failure({result.step(), result.error_number(), result.item()});
  }
  ChildProcess child = result.TakeChild();
  child.stdin_pipe = std::move(stdin_pipe_);
  child.stdout_pipe = std::move(stdout_pipe_);
  child.stderr_pipe = std::move(stderr_pipe_);
  return child;
}

absl::Status PreparedSpawn::Failure(const Problem& problem) const {
  SpawnFailure failure;
  failure.program = CallersPath(*caller_, program_);
  failure.caller = caller_.get();
  failure.step = problem.step;
  failure.error_number = problem.error_number;
  failure.item = problem.item;
  const auto add = [&failure](const std::string& text) {
    failure.argument_bytes += text.size() + 1;
    failure.longest_argument =
        std::max(failure.longest_argument, text.size() + 1);
  };
  add(request_.command.path);
  for (const std::string& argument : request_.command.args) add(argument);
  for (const std::string& variable : request_.environment) add(variable);
  return DiagnoseSpawn(request_.command, failure);
}

}  // namespace goplugin::internal

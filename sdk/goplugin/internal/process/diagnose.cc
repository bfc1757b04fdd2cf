#include "goplugin/internal/process/diagnose.h"

#include <sys/resource.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/diagnose_file.h"
#include "goplugin/internal/process/diagnose_restriction.h"
#include "goplugin/internal/process/program_file.h"

namespace goplugin::internal {
namespace {

const char* StepText(SpawnStep step) {
  switch (step) {
    case SpawnStep::kOpenProgram:
      return "opening it to compute its digest";
    case SpawnStep::kSealedCopy:
      return "making a sealed copy of it in memory";
    case SpawnStep::kHashProgram:
      return "computing its digest";
    case SpawnStep::kPipes:
      return "making the pipes of its stdin and output";
    case SpawnStep::kNullDevice:
      return "opening /dev/null for its stdin";
    case SpawnStep::kOpenControlGroup:
      return "opening the control group's cgroup.procs";
    case SpawnStep::kDuplicate:
      return "duplicating a descriptor for it";
    case SpawnStep::kClone:
      return "creating the process";
    case SpawnStep::kCallersDirectory:
      return "going to the directory that the caller was in";
    case SpawnStep::kProcessGroup:
      return "making its process group";
    case SpawnStep::kDeathSignal:
      return "setting its death signal";
    case SpawnStep::kStdio:
      return "setting up its stdin, stdout and stderr";
    case SpawnStep::kWorkingDirectory:
      return "changing to its working directory";
    case SpawnStep::kControlGroup:
      return "moving it to its control group";
    case SpawnStep::kResourceLimit:
      return "setting its resource limits";
    case SpawnStep::kNice:
      return "setting its nice value";
    case SpawnStep::kGroups:
      return "setting its supplementary groups";
    case SpawnStep::kGid:
      return "changing to its group";
    case SpawnStep::kUid:
      return "changing to its user";
    case SpawnStep::kNoNewPrivileges:
      return "setting its no_new_privs";
    case SpawnStep::kCloseDescriptors:
      return "closing the host's descriptors in it";
    case SpawnStep::kInherit:
      return "giving it a descriptor of the host's";
    case SpawnStep::kExec:
      return "executing it";
  }
  return "starting it";
}

// glibc numbers its limits with an enum, other libraries with an int.
std::string LimitText(decltype(RLIMIT_AS) resource) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0) return "unknown";
  return limit.rlim_cur == RLIM_INFINITY ? "unlimited"
                                         : absl::StrCat(limit.rlim_cur);
}

// Failures for want of something, which can come at any step. False: this is
// none of them.
bool DiagnoseLimits(const SpawnFailure& failure, Findings& findings) {
  switch (failure.error_number) {
    case EMFILE:
      findings.evidence.push_back(
          absl::StrCat("the host's limit of open files (RLIMIT_NOFILE) is ",
                       LimitText(RLIMIT_NOFILE)));
      findings.hint =
          "raise the host's limit of open files (ulimit -n), or look for "
          "descriptors that it leaks";
      return true;
    case ENFILE:
      findings.hint =
          "the whole system has too many open files: raise fs.file-max, or "
          "look for the process that leaks them";
      return true;
    case EAGAIN:
      findings.evidence.push_back(
          absl::StrCat("the user's limit of processes (RLIMIT_NPROC) is ",
                       LimitText(RLIMIT_NPROC)));
      findings.hint =
          "raise the limit of processes (ulimit -u, the control group's "
          "pids.max), or run fewer";
      return true;
    case ENOMEM:
      findings.evidence.push_back(absl::StrCat(
          "the host's limit of memory (RLIMIT_AS) is ", LimitText(RLIMIT_AS)));
      findings.hint =
          "free memory, or raise the limit of the host or of its control group";
      return true;
    case E2BIG:
      findings.evidence.push_back(absl::StrCat(
          "arguments and environment are ", failure.argument_bytes,
          " bytes, the longest of them ", failure.longest_argument));
      findings.hint =
          "pass less in Command::args and the environment: Linux takes 128 KiB "
          "in one string, and a quarter of the stack's limit in all; put big "
          "values in a file";
      return true;
    default:
      return false;
  }
}

// A program that is there, and whose content could not be had.
Findings DiagnoseCheck(const SpawnFailure& failure) {
  Findings findings;
  findings.evidence = {
      absl::StrCat(Quote(failure.program), ": ",
                   DescribeFile(InspectProgram(failure.program)))};
  findings.hint =
      failure.step == SpawnStep::kSealedCopy
          ? "a sealed copy needs memory of the program's size, which may be 4 "
            "GiB at most, and memfd_create with execution allowed "
            "(vm.memfd_noexec below 2); SecureConfig::Mode::kByDescriptor "
            "needs neither"
          : "the file must be readable to its end, and the TLS library must "
            "provide the hash";
  return findings;
}

Findings DiagnoseStep(const Command& command, const SpawnFailure& failure) {
  Findings findings;
  if (DiagnoseLimits(failure, findings)) return findings;
  switch (failure.step) {
    case SpawnStep::kOpenProgram:
    case SpawnStep::kExec:
      findings = DiagnoseFile(command, *failure.caller, failure.program,
                              failure.error_number);
      break;
    case SpawnStep::kWorkingDirectory:
      findings = DiagnoseWorkingDirectory(command, *failure.caller);
      break;
    case SpawnStep::kNullDevice:
      findings.hint =
          "provide /dev/null where the host runs, or set Command::stdin_mode "
          "to kInherit";
      break;
    case SpawnStep::kSealedCopy:
    case SpawnStep::kHashProgram:
      findings = DiagnoseCheck(failure);
      break;
    case SpawnStep::kCloseDescriptors:
      findings.hint =
          "allow the close_range system call, or mount /proc where the host "
          "runs";
      break;
    default:
      findings = DiagnoseRestriction(command, failure);
      break;
  }
  if (findings.hint.empty()) {
    findings.hint =
        "run the program by hand as the host's user; if that works, a security "
        "policy or sandbox of the host is in the way";
  }
  return findings;
}

}  // namespace

absl::Status DiagnoseSpawn(const Command& command,
                           const SpawnFailure& failure) {
  Findings findings = DiagnoseStep(command, failure);
  ErrorDetails details;
  details.reason = Reason::kSpawn;
  details.what = absl::StrCat("the plugin program ", Quote(command.path),
                              " could not be started");
  // Abseil's message is "text: what strerror says", and thread-safe.
  details.evidence.push_back(absl::StrCat(
      absl::ErrnoToStatus(failure.error_number, StepText(failure.step))
          .message(),
      " (errno ", failure.error_number, ")"));
  for (std::string& fact : findings.evidence) {
    details.evidence.push_back(std::move(fact));
  }
  details.hint = std::move(findings.hint);
  return MakeError(details);
}

}  // namespace goplugin::internal

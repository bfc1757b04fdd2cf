#include "goplugin/internal/process/diagnose_restriction.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/program_file.h"

namespace goplugin::internal {
namespace {

constexpr char kHowToBecomeOthers[] =
    "run the host as root or with CAP_SETUID and CAP_SETGID (in a user "
    "namespace /proc/self/setgroups must say allow), or leave Command::user "
    "unset";

Findings DiagnoseControlGroup(const Command& command,
                              const SpawnFailure& failure) {
  const std::string& directory = command.cgroups[failure.item];
  Findings findings;
  findings.evidence = {absl::StrCat("control group ", Quote(directory)),
                       HostIdentity()};
  const ProgramFile file = InspectProgram(directory);
  switch (failure.error_number) {
    case ENOENT:
    case ENOTDIR:
      findings.evidence.push_back(
          file.kind == ProgramFile::Kind::kAbsent
              ? absl::StrCat(Quote(directory), " does not exist")
              : absl::StrCat(Quote(directory), ": ", DescribeFile(file)));
      findings.hint =
          "make the control group before the launch (mkdir below "
          "/sys/fs/cgroup), and name its directory in Command::cgroups";
      break;
    case EACCES:
    case EPERM:
      findings.hint =
          "give the host's user write permission on the cgroup.procs of that "
          "group and of the nearest group above both it and the host's own "
          "(systemd: Delegate=yes)";
      break;
    case EBUSY:
      findings.hint =
          "a group of cgroup v2 that distributes controllers to groups below "
          "it holds no processes itself: name a group without any below it";
      break;
    case ENODEV:
      findings.hint = "the control group was removed during the launch";
      break;
    case ENOSPC:
      findings.hint =
          "give the group processors and memory nodes first (cpuset.cpus, "
          "cpuset.mems)";
      break;
    default:
      findings.hint =
          "name the directory of a control group: one of cgroup v2 whose "
          "cgroup.type is domain, or one of a v1 hierarchy";
  }
  return findings;
}

struct LimitName {
  int resource;
  const char* name;
};
constexpr LimitName kLimitNames[] = {
    {RLIMIT_AS, "RLIMIT_AS"},         {RLIMIT_CORE, "RLIMIT_CORE"},
    {RLIMIT_CPU, "RLIMIT_CPU"},       {RLIMIT_DATA, "RLIMIT_DATA"},
    {RLIMIT_FSIZE, "RLIMIT_FSIZE"},   {RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK"},
    {RLIMIT_NOFILE, "RLIMIT_NOFILE"}, {RLIMIT_NPROC, "RLIMIT_NPROC"},
    {RLIMIT_RSS, "RLIMIT_RSS"},       {RLIMIT_STACK, "RLIMIT_STACK"},
    {RLIMIT_LOCKS, "RLIMIT_LOCKS"},   {RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE"},
    {RLIMIT_NICE, "RLIMIT_NICE"},     {RLIMIT_RTPRIO, "RLIMIT_RTPRIO"},
    {RLIMIT_RTTIME, "RLIMIT_RTTIME"}, {RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING"},
};

std::string ResourceName(int resource) {
  for (const LimitName& row : kLimitNames) {
    if (row.resource == resource) return row.name;
  }
  return absl::StrCat("resource ", resource);
}

std::string LimitValue(uint64_t value) {
  return value == Command::ResourceLimit::kUnlimited ? "unlimited"
                                                     : absl::StrCat(value);
}

Findings DiagnoseResourceLimit(const Command& command,
                               const SpawnFailure& failure) {
  const Command::ResourceLimit& limit = command.resource_limits[failure.item];
  Findings findings;
  findings.evidence = {absl::StrCat(ResourceName(limit.resource), " of ",
                                    LimitValue(limit.soft),
                                    " (hard: ", LimitValue(limit.hard), ")")};
  struct rlimit own;
  // glibc numbers its limits with an enum, other libraries with an int.
  if (getrlimit(static_cast<decltype(RLIMIT_AS)>(limit.resource), &own) == 0) {
    findings.evidence.push_back(absl::StrCat("the host's own hard limit is ",
                                             own.rlim_max == RLIM_INFINITY
                                                 ? "unlimited"
                                                 : absl::StrCat(own.rlim_max)));
  }
  findings.evidence.push_back(HostIdentity());
  findings.hint =
      failure.error_number == EPERM
          ? "a hard limit above the host's own takes CAP_SYS_RESOURCE (and "
            "RLIMIT_NOFILE none above fs.nr_open): lower "
            "Command::resource_limits, or raise the host's limit"
          : "name a resource that this kernel knows, with a soft limit that is "
            "not above the hard one";
  return findings;
}

Findings DiagnoseNice(const Command& command) {
  Findings findings;
  findings.evidence = {absl::StrCat("Command::nice is ", command.nice),
                       HostIdentity()};
  findings.hint =
      "a negative nice value takes CAP_SYS_NICE or a RLIMIT_NICE that allows "
      "it: run the host with either, or set Command::nice to 0 or more";
  return findings;
}

std::string FirstLines(const char* path) {
  std::ifstream file(path);
  std::string text(256, '\0');
  file.read(&text[0], static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

// `what`: "user 7". `map`: the file that says which ids exist here.
Findings DiagnoseUser(const SpawnFailure& failure, const std::string& what,
                      const char* map) {
  Findings findings;
  findings.evidence = {what, HostIdentity()};
  findings.hint = kHowToBecomeOthers;
  if (failure.error_number == EINVAL) {
    findings.evidence.push_back(
        absl::StrCat("the host's user namespace has these ids (", map,
                     "): ", Quote(FirstLines(map))));
    findings.hint = absl::StrCat(
        what,
        " does not exist in the host's user namespace: set Command::user "
        "to ids that do, or map these");
  }
  return findings;
}

Findings DiagnoseDescriptor(const Command& command,
                            const SpawnFailure& failure) {
  const Command::Descriptor& entry = command.descriptors[failure.item];
  Findings findings;
  findings.evidence = {absl::StrCat("descriptor ", entry.host,
                                    " of the host, to be ", entry.child,
                                    " in the child")};
  findings.hint =
      failure.step == SpawnStep::kDuplicate
          ? "name an open descriptor of the host in Command::descriptors, and "
            "keep it open until the launch is over"
          : "the numbers in the child must be below its limit of open files "
            "(RLIMIT_NOFILE in Command::resource_limits, or the host's)";
  return findings;
}

}  // namespace

Findings DiagnoseRestriction(const Command& command,
                             const SpawnFailure& failure) {
  switch (failure.step) {
    case SpawnStep::kOpenControlGroup:
    case SpawnStep::kControlGroup:
      return DiagnoseControlGroup(command, failure);
    case SpawnStep::kResourceLimit:
      return DiagnoseResourceLimit(command, failure);
    case SpawnStep::kNice:
      return DiagnoseNice(command);
    case SpawnStep::kGroups:
      return DiagnoseUser(
          failure,
          absl::StrCat("groups {", absl::StrJoin(command.user->groups, ", "),
                       "}"),
          "/proc/self/gid_map");
    case SpawnStep::kGid:
      return DiagnoseUser(failure, absl::StrCat("group ", command.user->gid),
                          "/proc/self/gid_map");
    case SpawnStep::kUid:
      return DiagnoseUser(failure, absl::StrCat("user ", command.user->uid),
                          "/proc/self/uid_map");
    case SpawnStep::kDuplicate:
    case SpawnStep::kInherit:
      return DiagnoseDescriptor(command, failure);
    default:
      return {};
  }
}

}  // namespace goplugin::internal

#include "goplugin/internal/process/diagnose_file.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/capabilities.h"
#include "goplugin/internal/process/program_file.h"
#include "goplugin/internal/process/resolve.h"

namespace goplugin::internal {
namespace {

using Kind = ProgramFile::Kind;

bool Exists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

bool MayExecute(const std::string& path) {
  return faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

bool OnNoexecMount(const std::string& path) {
  struct statvfs info;
  return statvfs(path.c_str(), &info) == 0 && (info.f_flag & ST_NOEXEC) != 0;
}

// A file whose capabilities must all be given does not run where one can't be.
void DiagnoseCapabilities(const std::string& program, Findings& findings) {
  const absl::optional<uint64_t> required = RequiredCapabilities(program);
  const absl::optional<uint64_t> allowed =
      ReadCapabilities("/proc/thread-self/status", "CapBnd");
  if (!required.has_value() || !allowed.has_value()) return;
  const std::string missing = CapabilityNames(*required & ~*allowed);
  if (missing.empty()) return;
  findings.evidence.push_back(absl::StrCat(
      "the file is to be given ", CapabilityNames(*required), " (setcap)"));
  findings.evidence.push_back(absl::StrCat(
      "the bounding set of this host, which no program exceeds, lacks ",
      missing));
  findings.hint = absl::StrCat(
      "let the host's container or service have ", missing,
      " (docker run --cap-add, Kubernetes' securityContext.capabilities, "
      "systemd's CapabilityBoundingSet), or take it from the file: setcap -r ",
      program);
}

// The user whose rights decide.
uid_t ChildUser(const Command& command) {
  return command.user.has_value() ? command.user->uid : geteuid();
}

// The first directory on the way to `path` that is missing, no directory or
// closed to us, described; "" if the way is clear.
std::string DescribeBrokenWay(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string directory = path.substr(0, slash);
    struct stat info;
    if (lstat(directory.c_str(), &info) != 0) {
      return absl::StrCat(
          "directory ", Quote(directory),
          errno == ENOENT ? " does not exist" : " can't be reached");
    }
    const ProgramFile file = InspectProgram(directory);
    if (file.kind != Kind::kDirectory) {
      return absl::StrCat(Quote(directory), " is no directory");
    }
    if (!MayExecute(directory)) {
      return absl::StrCat("directory ", Quote(directory),
                          " may not be entered: ", DescribeFile(file), ", ",
                          HostIdentity());
    }
  }
  return "";
}

// Where a symbolic link leads, "" for anything else.
std::string LinkTarget(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t size = readlink(path.c_str(), target, sizeof(target));
  return size <= 0 ? "" : std::string(target, static_cast<size_t>(size));
}

void AddMissingFileHint(const Command& command, const CallerContext& caller,
                        Findings& findings) {
  if (absl::StartsWith(command.path, "/")) {
    findings.hint = "check Command::path, and that the plugin is installed";
    return;
  }
  findings.evidence.push_back(absl::StrCat("the host's current directory is ",
                                           Quote(caller.directory_path)));
  findings.hint = absl::StrCat(
      "a relative path starts at the host's current directory",
      command.working_directory.empty() ? "" : ", not at working_directory",
      "; give an absolute path");
  if (absl::StrContains(command.path, '/')) return;
  const absl::optional<std::string> found = FindInPath(caller, command.path);
  if (!found.has_value()) return;
  findings.evidence.push_back(absl::StrCat("PATH has ", Quote(*found)));
  findings.hint = absl::StrCat("set Command::search_path to run ",
                               Quote(*found), ", or give an absolute path");
}

Findings DiagnoseAbsent(const Command& command, const CallerContext& caller,
                        const std::string& program) {
  Findings findings;
  const std::string way = DescribeBrokenWay(program);
  const std::string target = LinkTarget(program);
  if (!way.empty()) {
    findings.evidence.push_back(way);
  } else if (!target.empty()) {
    findings.evidence.push_back(
        absl::StrCat(Quote(program), " is a symbolic link to ", Quote(target),
                     ", which can't be reached"));
    findings.hint = "repair the symbolic link, or name the program itself";
    return findings;
  } else {
    findings.evidence.push_back(
        absl::StrCat(Quote(program), " does not exist"));
  }
  if (absl::StrContains(way, "may not be entered")) {
    findings.hint = absl::StrCat("give user ", geteuid(),
                                 " search permission on that directory");
    return findings;
  }
  AddMissingFileHint(command, caller, findings);
  return findings;
}

// The file is there, so it is what runs the file that is missing.
void DiagnoseMissingInterpreter(const ProgramFile& file, Findings& findings) {
  if (file.interpreter.empty() || Exists(file.interpreter)) return;
  if (file.kind == Kind::kElf) {
    findings.evidence.push_back(absl::StrCat(
        "its dynamic loader ", Quote(file.interpreter), " does not exist"));
    findings.hint =
        "the program was built for another C library or distribution: link it "
        "statically (Go: CGO_ENABLED=0), build it for this one, or install "
        "that loader";
    return;
  }
  findings.evidence.push_back(absl::StrCat(
      "its interpreter ", Quote(file.interpreter), " does not exist"));
  if (absl::EndsWith(file.interpreter, "\r")) {
    findings.hint =
        "the script has Windows line ends (CRLF), and the carriage return "
        "counts as part of the interpreter's name: convert the script to Unix "
        "line ends";
  } else {
    findings.hint = absl::StrCat("install ", Quote(file.interpreter),
                                 ", or correct the script's #! line");
  }
}

void DiagnosePermission(const Command& command, const std::string& program,
                        const ProgramFile& file, Findings& findings) {
  if (file.kind == Kind::kDirectory) {
    findings.hint = "name the program's file, not the directory it is in";
  } else if (file.kind == Kind::kSpecial) {
    findings.hint = "name a regular file";
  } else if ((file.mode & 0111) == 0) {
    findings.evidence.push_back("it has no execute permission");
    findings.hint = absl::StrCat("chmod +x ", program);
  } else if (OnNoexecMount(program)) {
    findings.evidence.push_back("its file system is mounted noexec");
    findings.hint =
        "install the plugin on a file system that is not mounted noexec";
  } else if (!MayExecute(program)) {
    findings.evidence.push_back(HostIdentity());
    findings.hint = absl::StrCat("give user ", geteuid(),
                                 " execute permission on the file");
  } else if (command.secure_config.has_value() &&
             file.kind == Kind::kUnreadable) {
    findings.evidence.push_back(HostIdentity());
    findings.hint = absl::StrCat(
        "give user ", geteuid(),
        " read permission on the file: its digest is computed from its bytes");
  } else if (command.user.has_value()) {
    findings.evidence.push_back(absl::StrCat(
        "it is to run as ", command.user->uid, ":", command.user->gid));
    findings.hint = absl::StrCat(
        "give user ", command.user->uid,
        " execute permission on the file, and search permission on the "
        "directories above it");
  } else if (!file.interpreter.empty() && !MayExecute(file.interpreter)) {
    findings.evidence.push_back(absl::StrCat(
        "its interpreter ", Quote(file.interpreter), " can't be executed: ",
        DescribeFile(InspectProgram(file.interpreter))));
    findings.hint = "make the interpreter executable, or name another one";
  } else {
    findings.hint =
        "the file's mode allows it, so look at a security policy (SELinux, "
        "AppArmor, a sandbox)";
  }
}

void DiagnoseElf(const ProgramFile& file, Findings& findings) {
  const ProgramFile host = InspectProgram("/proc/self/exe");
  findings.evidence.push_back(
      absl::StrCat("it is built for ", DescribeArchitecture(file)));
  if (host.kind == Kind::kElf &&
      DescribeArchitecture(host) != DescribeArchitecture(file)) {
    findings.evidence.push_back(
        absl::StrCat("the host is ", DescribeArchitecture(host)));
    findings.hint = absl::StrCat("build or install the plugin for ",
                                 DescribeArchitecture(host));
  } else if (file.elf_type != ET_EXEC && file.elf_type != ET_DYN) {
    findings.evidence.push_back("it is no linked program");
    findings.hint = "name the linked program, not an object or core file";
  } else {
    findings.hint = "the file is damaged or cut short: install it again";
  }
}

void DiagnoseFormat(const ProgramFile& file, Findings& findings) {
  switch (file.kind) {
    case Kind::kElf:
      DiagnoseElf(file, findings);
      return;
    case Kind::kEmpty:
      findings.hint = "the build or the installation was cut short: redo it";
      return;
    case Kind::kText:
      findings.evidence.push_back("it is text without a #! line");
      findings.hint =
          "start the script with a line such as #!/usr/bin/env python3, or set "
          "Command::path to the interpreter and give the script as its first "
          "argument; no shell is run for it";
      return;
    case Kind::kScript:
      findings.evidence.push_back(
          absl::StrCat("its #! line names ", file.interpreter.empty()
                                                 ? "no interpreter"
                                                 : Quote(file.interpreter)));
      findings.hint = "correct the script's #! line";
      return;
    case Kind::kForeign:
      findings.evidence.push_back(absl::StrCat("it is ", file.format));
      findings.hint = "build or install the plugin for Linux";
      return;
    default:
      findings.evidence.push_back("its format is unknown");
      findings.hint = "name a program: an ELF file, or a script with a #! line";
  }
}

}  // namespace

std::string HostIdentity() {
  return absl::StrCat("the host runs as ", geteuid(), ":", getegid());
}

Findings DiagnoseFile(const Command& command, const CallerContext& caller,
                      const std::string& program, int error_number) {
  const ProgramFile file = InspectProgram(program);
  if (file.kind == Kind::kAbsent) {
    return DiagnoseAbsent(command, caller, program);
  }
  Findings findings;
  findings.evidence.push_back(
      absl::StrCat(Quote(program), ": ", DescribeFile(file)));
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case ELIBBAD:
      DiagnoseMissingInterpreter(file, findings);
      break;
    case EACCES:
    case EISDIR:
      DiagnosePermission(command, program, file, findings);
      break;
    case EPERM:
      DiagnoseCapabilities(program, findings);
      break;
    case ENOEXEC:
    case EINVAL:
      DiagnoseFormat(file, findings);
      break;
    case ETXTBSY:
      findings.hint =
          "some process has the file open for writing: close it before the "
          "launch, or write to another name and rename it into place";
      break;
    default:
      break;
  }
  return findings;
}

Findings DiagnoseWorkingDirectory(const Command& command,
                                  const CallerContext& caller) {
  const std::string path = CallersPath(caller, command.working_directory);
  Findings findings;
  const ProgramFile file = InspectProgram(path);
  if (file.kind == Kind::kAbsent) {
    const std::string way = DescribeBrokenWay(path);
    findings.evidence.push_back(
        way.empty() ? absl::StrCat(Quote(path), " does not exist") : way);
  } else {
    findings.evidence.push_back(
        absl::StrCat(Quote(path), ": ", DescribeFile(file)));
  }
  if (!absl::StartsWith(command.working_directory, "/")) {
    findings.evidence.push_back(absl::StrCat("the host's current directory is ",
                                             Quote(caller.directory_path)));
  }
  findings.hint = absl::StrCat(
      "set Command::working_directory to an existing directory that user ",
      ChildUser(command), " may enter, or leave it empty");
  return findings;
}

}  // namespace goplugin::internal

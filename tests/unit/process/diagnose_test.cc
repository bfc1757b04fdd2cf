// What Spawn says about programs that can't be started: each cause is named by
// its own evidence and hint.

#include "goplugin/internal/process/diagnose.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "goplugin/internal/process/program_file.h"
#include "goplugin/internal/process/spawn.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class DiagnoseTest : public ProcessTest {
 protected:
  // A copy of the test's own child program, to be damaged.
  static std::string ProgramBytes() {
    std::ifstream file(ChildProgram(), std::ios::binary);
    std::stringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
  }
};

absl::Status Start(const std::string& path) {
  SpawnRequest request;
  request.command.path = path;
  return Spawn(request).status();
}

// Checks that the status is a failed start with this evidence and hint.
void ExpectDiagnosis(const absl::Status& status, const std::string& evidence,
                     const std::string& hint) {
  const ErrorDetails details = Details(status);
  EXPECT_EQ(details.reason, Reason::kSpawn) << status;
  EXPECT_THAT(Evidence(status), HasSubstr(evidence));
  EXPECT_THAT(details.hint, HasSubstr(hint));
}

TEST_F(DiagnoseTest, MissingFile) {
  const absl::Status status = Start(directory() + "/absent");
  ExpectDiagnosis(status, "/absent\" does not exist", "plugin is installed");
  EXPECT_THAT(Details(status).what,
              HasSubstr("/absent\" could not be started"));
  EXPECT_THAT(Evidence(status), HasSubstr("No such file or directory (errno"));
}

TEST_F(DiagnoseTest, MissingRelativeFileNamesTheCurrentDirectory) {
  EXPECT_EQ(InFork([this]() -> std::string {
              if (chdir(directory().c_str()) != 0) return "chdir";
              ExpectDiagnosis(
                  Start("./absent"),
                  "the host's current directory is \"" + directory() + "\"",
                  "starts at the host's current directory");
              SpawnRequest request;
              request.command.path = "bin/absent";
              request.command.working_directory = "/";
              ExpectDiagnosis(Spawn(request).status(), "/bin\" does not exist",
                              "not at working_directory");
              return "";
            }),
            "");
}

TEST_F(DiagnoseTest, MissingFileThatPathHas) {
  ExpectDiagnosis(Start("sh"), "PATH has \"/", "set Command::search_path");
}

TEST_F(DiagnoseTest, SearchThatFindsNothing) {
  WriteFile("here", "#!/bin/sh\n");
  EXPECT_EQ(InFork([this]() -> std::string {
              setenv("PATH", "/nonexistent/one:.", 1);
              if (chdir(directory().c_str()) != 0) return "chdir";
              SpawnRequest request;
              request.command.search_path = true;
              request.command.path = "absent";
              ExpectDiagnosis(Spawn(request).status(), "/nonexistent/one:.",
                              "give Command::path with a slash");
              request.command.path = "here";
              ExpectDiagnosis(Spawn(request).status(),
                              "current directory has a file of that name",
                              "set Command::path to \"./here\"");
              return "";
            }),
            "");
}

TEST_F(DiagnoseTest, MissingDirectoryOnTheWay) {
  ExpectDiagnosis(Start(directory() + "/a/b/plugin"),
                  "directory \"" + directory() + "/a\" does not exist",
                  "plugin is installed");
  const std::string file = WriteFile("file", "");
  ExpectDiagnosis(Start(file + "/plugin"), "/file\" is no directory",
                  "plugin is installed");
}

TEST_F(DiagnoseTest, DanglingLink) {
  const std::string link = directory() + "/link";
  ASSERT_EQ(symlink("nowhere", link.c_str()), 0);
  ExpectDiagnosis(Start(link), "is a symbolic link to \"nowhere\"",
                  "repair the symbolic link");
}

TEST_F(DiagnoseTest, Directory) {
  ExpectDiagnosis(Start(directory()), "directory, mode 0700, owner ",
                  "name the program's file");
}

TEST_F(DiagnoseTest, Fifo) {
  const std::string fifo = directory() + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0755), 0);
  ExpectDiagnosis(Start(fifo), "FIFO, mode 07", "name a regular file");
}

TEST_F(DiagnoseTest, NotExecutable) {
  const std::string file = WriteFile("plain", "#!/bin/sh\n", 0644);
  const absl::Status status = Start(file);
  ExpectDiagnosis(status, "script, mode 0644, owner ", "chmod +x " + file);
  EXPECT_THAT(Evidence(status), HasSubstr("it has no execute permission"));
}

// Gives up what lets root pass by a file's mode.
bool DropCapabilities() {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {};
  return syscall(SYS_capset, &header, none) == 0;
}

TEST_F(DiagnoseTest, NotExecutableForThisUser) {
  // The owner's bits count for the owner, whatever others may do.
  const std::string file = WriteFile("others", "#!/bin/sh\n", 0655);
  const std::string closed = directory() + "/closed";
  ASSERT_EQ(mkdir(closed.c_str(), 0655), 0);
  EXPECT_EQ(InFork([&]() -> std::string {
              if (!DropCapabilities()) return "capset";
              const std::string user = absl::StrCat(geteuid());
              ExpectDiagnosis(
                  Start(file),
                  absl::StrCat("the host runs as ", user, ":", getegid()),
                  absl::StrCat("give user ", user, " execute permission"));
              ExpectDiagnosis(
                  Start(closed + "/plugin"),
                  absl::StrCat("/closed\" may not be entered: directory, mode "
                               "0655, owner ",
                               user),
                  absl::StrCat("give user ", user, " search permission"));
              return "";
            }),
            "");
}

TEST_F(DiagnoseTest, NoexecMount) {
  const std::string mount_point = directory() + "/mount";
  ASSERT_EQ(mkdir(mount_point.c_str(), 0755), 0);
  const std::string problem = InFork([&]() -> std::string {
    // In a mount namespace of its own, which goes away with the fork.
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", mount_point.c_str(), "tmpfs", MS_NOEXEC, nullptr) != 0) {
      return "<not allowed>";
    }
    ExpectDiagnosis(Start(WriteFile("mount/plugin", "#!/bin/sh\n")),
                    "mounted noexec", "install the plugin on a file system");
    return "";
  });
  if (problem == "<not allowed>") GTEST_SKIP() << "needs the right to mount";
  EXPECT_EQ(problem, "");
}

TEST_F(DiagnoseTest, WrongArchitecture) {
  std::string bytes = ProgramBytes();
  ASSERT_GT(bytes.size(), 64u);
  const ProgramFile host = InspectProgram("/proc/self/exe");
  const bool is_arm = host.elf_machine == EM_AARCH64;
  // e_machine, in the host's byte order.
  const uint16_t machine = is_arm ? EM_X86_64 : EM_AARCH64;
  bytes.replace(18, 2, reinterpret_cast<const char*>(&machine), 2);
  const absl::Status status = Start(WriteFile("foreign", bytes));
  ExpectDiagnosis(
      status,
      absl::StrCat("it is built for 64-bit little-endian ",
                   is_arm ? "x86-64" : "AArch64"),
      absl::StrCat("install the plugin for ", DescribeArchitecture(host)));
  EXPECT_THAT(Evidence(status),
              HasSubstr("the host is " + DescribeArchitecture(host)));
}

TEST_F(DiagnoseTest, BigEndianElf) {
  // An ELF header of S/390: 32 bits of class 2, data 2; machine 22.
  std::string bytes(
      "\x7f"
      "ELF\x02\x02\x01",
      7);
  bytes.resize(64, '\0');
  bytes[17] = 2;
  bytes[19] = 22;
  ExpectDiagnosis(Start(WriteFile("s390x", bytes)),
                  "it is built for 64-bit big-endian S/390",
                  "install the plugin for ");
}

TEST_F(DiagnoseTest, ObjectFileAndDamagedFile) {
  std::string bytes = ProgramBytes();
  const uint16_t type = ET_REL;
  bytes.replace(16, 2, reinterpret_cast<const char*>(&type), 2);
  ExpectDiagnosis(Start(WriteFile("object.o", bytes)), "no linked program",
                  "not an object or core file");
  ExpectDiagnosis(Start(WriteFile("short", ProgramBytes().substr(0, 70))),
                  "ELF file, mode 0755", "damaged or cut short");
}

TEST_F(DiagnoseTest, MissingLoader) {
  const std::string loader = InspectProgram(ChildProgram()).interpreter;
  if (loader.empty()) GTEST_SKIP() << "the child is linked statically";
  std::string bytes = ProgramBytes();
  std::string absent = loader;
  absent[1] = '_';
  bytes.replace(bytes.find(loader), loader.size(), absent);
  const absl::Status status = Start(WriteFile("other-libc", bytes));
  ExpectDiagnosis(status,
                  "its dynamic loader \"" + absent + "\" does not exist",
                  "link it statically");
  // The file itself is there, and must not be called missing.
  EXPECT_THAT(Evidence(status), Not(HasSubstr("other-libc\" does not exist")));
}

TEST_F(DiagnoseTest, MissingInterpreter) {
  ExpectDiagnosis(Start(WriteFile("script", "#! /opt/no/python3 -u\nx\n")),
                  "its interpreter \"/opt/no/python3\" does not exist",
                  "install \"/opt/no/python3\"");
}

TEST_F(DiagnoseTest, WindowsLineEnds) {
  ExpectDiagnosis(Start(WriteFile("script", "#!/bin/sh\r\necho\r\n")),
                  "its interpreter \"/bin/sh\\r\" does not exist",
                  "Windows line ends (CRLF)");
}

TEST_F(DiagnoseTest, InterpreterThatIsNotExecutable) {
  const std::string interpreter = WriteFile("interpreter", "", 0644);
  ExpectDiagnosis(
      Start(WriteFile("script", absl::StrCat("#!", interpreter, "\n"))),
      "can't be executed: empty file, mode 0644",
      "make the interpreter executable");
}

TEST_F(DiagnoseTest, ScriptWithoutInterpreterIsNotRunByAShell) {
  const std::string witness = directory() + "/witness";
  const absl::Status status =
      Start(WriteFile("script", absl::StrCat("touch ", witness, "\n")));
  ExpectDiagnosis(status, "text without a #! line", "#!/usr/bin/env python3");
  EXPECT_NE(access(witness.c_str(), F_OK), 0);
  ExpectDiagnosis(Start(WriteFile("bare", "#!  \n")),
                  "its #! line names no interpreter", "correct the script's");
}

TEST_F(DiagnoseTest, OtherFormats) {
  ExpectDiagnosis(Start(WriteFile("empty", "")), "empty file, mode 0755",
                  "cut short");
  ExpectDiagnosis(Start(WriteFile("plugin.exe", "MZ\x90")),
                  "a Windows program (PE)", "for Linux");
  ExpectDiagnosis(Start(WriteFile("mac", "\xcf\xfa\xed\xfe\x0c")),
                  "a macOS program (Mach-O)", "for Linux");
  ExpectDiagnosis(Start(WriteFile("noise", std::string("\x01\x02\x00", 3))),
                  "its format is unknown", "name a program");
}

TEST_F(DiagnoseTest, WorkingDirectoryIsNotTakenForTheProgram) {
  SpawnRequest request = ChildRequest({});
  request.command.working_directory = directory() + "/absent";
  absl::Status status = Spawn(request).status();
  ExpectDiagnosis(status, "changing to its working directory",
                  "set Command::working_directory to an existing directory");
  EXPECT_THAT(Evidence(status), HasSubstr("/absent\" does not exist"));
  EXPECT_THAT(Evidence(status), Not(HasSubstr(ChildProgram())));

  request.command.working_directory = WriteFile("file", "text");
  ExpectDiagnosis(Spawn(request).status(), "text file, mode 0755",
                  "set Command::working_directory");
}

TEST_F(DiagnoseTest, BusyFile) {
  const std::string program = WriteFile("busy", ProgramBytes());
  const UniqueFd writer(open(program.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(writer.valid());
  ExpectDiagnosis(Start(program), "Text file busy",
                  "has the file open for writing");
}

TEST_F(DiagnoseTest, TooManyOpenFiles) {
  EXPECT_EQ(
      InFork([]() -> std::string {
        const UniqueFd next(dup(0));
        struct rlimit limit = {};
        limit.rlim_cur = limit.rlim_max = static_cast<rlim_t>(next.get()) + 3;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return "setrlimit";
        ExpectDiagnosis(Start("/bin/sh"),
                        absl::StrCat("(RLIMIT_NOFILE) is ", limit.rlim_cur),
                        "raise the host's limit of open files");
        return "";
      }),
      "");
}

TEST_F(DiagnoseTest, ArgumentsTooLong) {
  SpawnRequest request = ChildRequest({std::string(200000, 'x')});
  const absl::Status status = Spawn(request).status();
  ExpectDiagnosis(status, "the longest of them 200001", "put big values");
  // The argument itself stays out of the message.
  EXPECT_LT(status.message().size(), 2000u);
}

TEST_F(DiagnoseTest, NoProcessAndNoMemory) {
  EXPECT_EQ(InFork([]() -> std::string {
              if (!FailSystemCall(SYS_clone, EAGAIN)) return "seccomp";
              ExpectDiagnosis(Start("/bin/sh"), "creating the process",
                              "raise the limit of processes");
              return "";
            }),
            "");
  EXPECT_EQ(InFork([]() -> std::string {
              if (!FailSystemCall(SYS_clone, ENOMEM)) return "seccomp";
              ExpectDiagnosis(Start("/bin/sh"), "creating the process",
                              "free memory");
              return "";
            }),
            "");
}

TEST_F(DiagnoseTest, SecurityPolicy) {
  EXPECT_EQ(InFork([]() -> std::string {
              if (!FailSystemCall(SYS_execve, EACCES)) return "seccomp";
              ExpectDiagnosis(Start(ChildProgram()), "ELF file, mode 0",
                              "look at a security policy");
              return "";
            }),
            "");
  EXPECT_EQ(InFork([]() -> std::string {
              if (!FailSystemCall(SYS_execve, EPERM)) return "seccomp";
              ExpectDiagnosis(Start(ChildProgram()), "executing it: Operation",
                              "security policy or sandbox");
              return "";
            }),
            "");
}

}  // namespace
}  // namespace goplugin::internal

#include "tests/unit/process/process_test_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "goplugin/internal/process/caller_context.h"
#include "goplugin/internal/process/clone_attempt.h"
#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/process/prepared_spawn.h"

namespace goplugin::internal {
namespace {

constexpr int kPatienceMs = 30000;

bool HasChildren() {
  siginfo_t info = {};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

std::string CurrentDirectory() {
  char buffer[4096];
  return getcwd(buffer, sizeof(buffer)) == nullptr ? "" : buffer;
}

}  // namespace

void ProcessTest::SetUp() {
  char path[] = "/tmp/goplugin-test-XXXXXX";
  ASSERT_NE(mkdtemp(path), nullptr);
  directory_ = path;
  descriptors_ = OpenDescriptors();
  ASSERT_FALSE(HasChildren());
}

void ProcessTest::TearDown() {
  EXPECT_EQ(OpenDescriptors(), descriptors_);
  EXPECT_FALSE(HasChildren());
  DIR* stream = opendir(directory_.c_str());
  ASSERT_NE(stream, nullptr);
  while (const dirent* entry = readdir(stream)) {
    unlinkat(dirfd(stream), entry->d_name, 0);
    unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR);
  }
  closedir(stream);
  EXPECT_EQ(rmdir(directory_.c_str()), 0);
}

std::string ProcessTest::WriteFile(const std::string& name,
                                   const std::string& content, int mode) {
  std::string path = absl::StrCat(directory_, "/", name);
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_TRUE(fd.valid());
  EXPECT_EQ(write(fd.get(), content.data(), content.size()),
            static_cast<ssize_t>(content.size()));
  EXPECT_EQ(fchmod(fd.get(), static_cast<mode_t>(mode)), 0);
  return path;
}

std::string ChildProgram() {
  const char* path = getenv("PROCESS_TEST_CHILD");
  if (path == nullptr) return "/PROCESS_TEST_CHILD is not set";
  return *path == '/' ? path : absl::StrCat(CurrentDirectory(), "/", path);
}

SpawnRequest ChildRequest(std::vector<std::string> args) {
  SpawnRequest request;
  request.command.path = ChildProgram();
  request.command.args = std::move(args);
  return request;
}

std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n > 0) {
      text.append(buffer, static_cast<size_t>(n));
    } else if (n == 0) {
      return text;
    } else if (errno == EAGAIN) {
      struct pollfd ready = {fd, POLLIN, 0};
      if (poll(&ready, 1, kPatienceMs) == 0) return text + "<timeout>";
    } else if (errno != EINTR) {
      return text + "<error>";
    }
  }
}

void WaitForExit(const ChildProcess& child) {
  if (child.pidfd.valid()) {
    struct pollfd ready = {child.pidfd.get(), POLLIN, 0};
    EXPECT_EQ(poll(&ready, 1, kPatienceMs), 1);
  } else {
    siginfo_t info = {};
    waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED | WNOWAIT);
  }
}

ExitStatus WaitAndReap(const ChildProcess& child) {
  WaitForExit(child);
  const absl::optional<ExitStatus> status = TryReap(child);
  EXPECT_TRUE(status.has_value());
  return status.value_or(ExitStatus{});
}

absl::StatusOr<std::shared_ptr<PreparedSpawn>> Prepare(SpawnRequest request) {
  return PrepareSpawn(std::move(request), ReadCallerContext());
}

absl::StatusOr<ChildProcess> CloneHere(
    const std::shared_ptr<PreparedSpawn>& prepared) {
  CloneAttempt attempt;
  return FinishSpawn(prepared, prepared->Clone(attempt));
}

absl::StatusOr<ChildProcess> Spawn(SpawnRequest request) {
  absl::StatusOr<std::shared_ptr<PreparedSpawn>> prepared =
      Prepare(std::move(request));
  if (!prepared.ok()) return prepared.status();
  return CloneHere(*prepared);
}

std::string OutputOf(const absl::StatusOr<ChildProcess>& child) {
  if (!child.ok()) return child.status().ToString();
  std::string output = ReadAll(child->stdout_pipe.get());
  WaitAndReap(*child);
  return output;
}

std::string OutputOf(const SpawnRequest& request) {
  return OutputOf(Spawn(request));
}

std::string InFork(const std::function<std::string()>& body) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t pid = fork();
  if (pid == 0) {
    // Out of the way of bodies that close descriptors.
    const int report = fcntl(writer.get(), F_DUPFD_CLOEXEC, 500);
    writer.reset();
    std::string problem = body();
    if (HasChildren()) problem += " children are left";
    if (::testing::Test::HasFailure()) problem += " an expectation failed";
    if (write(report, problem.data(), problem.size()) < 0) _exit(2);
    _exit(0);
  }
  writer.reset();
  std::string problem = ReadAll(reader.get());
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || status != 0) {
    absl::StrAppend(&problem, " the fork ended with status ", status);
  }
  return problem;
}

bool FailSystemCall(int number, int error_number, unsigned int mask) {
  const auto code = static_cast<unsigned int>(number);
  const auto error = static_cast<unsigned int>(error_number);
  constexpr unsigned int kNumberAt = offsetof(struct seccomp_data, nr);
  constexpr unsigned int kArgumentAt = offsetof(struct seccomp_data, args);
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumberAt),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, code, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  if (mask != 0) {
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kArgumentAt));
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, mask, 1, 0));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
  struct sock_fprog filter = {static_cast<uint16_t>(program.size()),
                              program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

std::set<int> OpenDescriptors() {
  std::set<int> descriptors;
  DIR* stream = opendir("/proc/self/fd");
  if (stream == nullptr) return descriptors;
  while (const dirent* entry = readdir(stream)) {
    if (entry->d_name[0] != '.') descriptors.insert(atoi(entry->d_name));
  }
  descriptors.erase(dirfd(stream));
  closedir(stream);
  return descriptors;
}

bool DropCapabilities() {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {};
  return syscall(SYS_capset, &header, none) == 0;
}

namespace {

std::string ReadProc(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::string HostState() {
  std::string state = ReadProc("/proc/self/limits") +
                      ReadProc("/proc/self/cgroup") + CurrentDirectory();
  std::ifstream status("/proc/thread-self/status");
  for (std::string line; std::getline(status, line);) {
    for (const char* key : {"Uid:", "Gid:", "Groups:", "Umask:", "SigBlk:",
                            "NoNewPrivs:", "Cap"}) {
      if (absl::StartsWith(line, key)) absl::StrAppend(&state, "\n", line);
    }
  }
  int death_signal = 0;
  prctl(PR_GET_PDEATHSIG, &death_signal);
  absl::StrAppend(&state, "\ndeath signal ", death_signal, ", dumpable ",
                  prctl(PR_GET_DUMPABLE), ", nice ",
                  getpriority(PRIO_PROCESS, 0));
  return state;
}

ErrorDetails Details(const absl::Status& status) {
  return GetErrorDetails(status).value_or(ErrorDetails{});
}

std::string Evidence(const absl::Status& status) {
  return absl::StrJoin(Details(status).evidence, "\n");
}

}  // namespace goplugin::internal

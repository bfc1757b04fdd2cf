#include "examples/runner/bubblewrap_runner.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "examples/runner/child.h"

namespace {

using goplugin::Endpoint;

constexpr char kSocketsInside[] = "/run/plugin";
constexpr char kProgramInside[] = "/run/program";

// `endpoint`, a socket below `from`, as one below `to`.
absl::StatusOr<Endpoint> Move(const Endpoint& endpoint, const std::string& from,
                              const std::string& to) {
  absl::string_view name = endpoint.address;
  if (endpoint.network != Endpoint::Network::kUnix ||
      !absl::ConsumePrefix(&name, from + "/")) {
    return absl::NotFoundError(
        absl::StrCat("the sandbox shares sockets in ", from, " only"));
  }
  return Endpoint{Endpoint::Network::kUnix, absl::StrCat(to, "/", name)};
}

void Append(std::vector<std::string>& line, std::vector<std::string> words) {
  line.insert(line.end(), words.begin(), words.end());
}

std::string ReadAll(int descriptor) {
  std::string text;
  char buffer[4096];
  ssize_t got = 0;
  while ((got = read(descriptor, buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

// What bwrap tells of the sandbox is {"child-pid": 123, ...}.
pid_t FirstProcess(const std::string& info) {
  const std::string field = "\"child-pid\":";
  const size_t at = info.find(field);
  if (at == std::string::npos) return -1;
  const std::string number = info.substr(at + field.size());
  pid_t pid = -1;
  return absl::SimpleAtoi(number.substr(0, number.find_first_of(",}\n")), &pid)
             ? pid
             : -1;
}

}  // namespace

BubblewrapRunner::BubblewrapRunner(std::string program,
                                   std::vector<std::string> arguments)
    : program_(std::move(program)), arguments_(std::move(arguments)) {}

BubblewrapRunner::~BubblewrapRunner() {
  if (first_ >= 0) close(first_);
}

absl::StatusOr<std::string> BubblewrapRunner::PlaceSocketDirectory(
    const std::string& directory) {
  directory_ = directory;
  return kSocketsInside;
}

std::vector<std::string> BubblewrapRunner::CommandLine() const {
  std::vector<std::string> line = {"/usr/bin/bwrap", "--unshare-all",
                                   "--die-with-parent", "--new-session"};
  // Without a process of bwrap's own around the plugin, which would outlive
  // the other one for a moment.
  line.push_back("--as-pid-1");
  // Where it tells of the sandbox, and which it then closes.
  Append(line, {"--info-fd", "3"});
  // The system, to be read only.
  Append(line, {"--ro-bind", "/usr", "/usr"});
  for (const char* path : {"/lib", "/lib64", "/bin", "/etc/ld.so.cache"}) {
    Append(line, {"--ro-bind-try", path, path});
  }
  // Of its own.
  Append(line, {"--proc", "/proc", "--dev", "/dev"});
  Append(line, {"--tmpfs", "/tmp", "--chdir", "/tmp"});
  // What it shares with the host.
  Append(line, {"--ro-bind", program_, kProgramInside});
  Append(line, {"--bind", directory_, kSocketsInside});
  line.push_back(kProgramInside);
  line.insert(line.end(), arguments_.begin(), arguments_.end());
  return line;
}

absl::StatusOr<goplugin::RunnerProcess> BubblewrapRunner::Start(
    const goplugin::RunnerRequest& request) {
  int info[2] = {-1, -1};
  if (pipe2(info, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  absl::StatusOr<Child> child =
      StartChild(CommandLine(), request.environment, info[1]);
  close(info[1]);
  const std::string told = child.ok() ? ReadAll(info[0]) : "";
  close(info[0]);
  if (!child.ok()) return child.status();

  const pid_t first = FirstProcess(told);
  pid_ = child->pid;
  first_ = static_cast<int>(syscall(SYS_pidfd_open, first, 0));
  if (first_ >= 0 && child->pidfd >= 0) {
    return goplugin::RunnerProcess{child->stdout_fd, child->stderr_fd,
                                   child->pidfd,
                                   absl::StrCat("process ", first)};
  }
  // bwrap has said why, and ended.
  const std::string why = ReadAll(child->stderr_fd);
  close(child->stdout_fd);
  close(child->stderr_fd);
  close(child->pidfd);
  WaitForChild(pid_).IgnoreError();
  return absl::UnavailableError(why);
}

absl::StatusOr<goplugin::ExitStatus> BubblewrapRunner::Wait() {
  return WaitForChild(pid_);
}

absl::Status BubblewrapRunner::Kill() { return KillProcess(first_); }

std::string BubblewrapRunner::Diagnose() {
  return absl::StrCat("it ran ", absl::StrJoin(CommandLine(), " "));
}

absl::StatusOr<Endpoint> BubblewrapRunner::PluginToHost(
    const Endpoint& endpoint) const {
  return Move(endpoint, kSocketsInside, directory_);
}

absl::StatusOr<Endpoint> BubblewrapRunner::HostToPlugin(
    const Endpoint& endpoint) const {
  return Move(endpoint, directory_, kSocketsInside);
}

#include "tests/conformance/run_host.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace goplugin::testing {
namespace {

bool SameName(absl::string_view a, absl::string_view b) {
  return a.substr(0, a.find('=')) == b.substr(0, b.find('='));
}

std::vector<std::string> Merge(const std::vector<std::string>& ours) {
  std::vector<std::string> merged = ours;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    bool replaced = false;
    for (const std::string& own : ours) {
      replaced = replaced || SameName(own, *variable);
    }
    if (!replaced) merged.emplace_back(*variable);
  }
  return merged;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

int WaitFor(pid_t pid) {
  int status = 0;
  pid_t waited;
  do {
    waited = waitpid(pid, &status, 0);
  } while (waited < 0 && errno == EINTR);
  if (waited != pid) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

HostResult RunHost(const HostCommand& command) {
  std::vector<std::string> argv = command.argv;
  std::vector<std::string> env = Merge(command.env);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO,
                                   command.output_file.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addchdir_np(&actions,
                                       command.working_directory.c_str());
  HostResult result;
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0].c_str(), &actions, nullptr,
                                Pointers(argv).data(), Pointers(env).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return result;
  result.exit_code = WaitFor(pid);
  std::ifstream file(command.output_file, std::ios::binary);
  result.output.assign(std::istreambuf_iterator<char>(file), {});
  return result;
}

void RemoveWhatTheHostLeft(const std::string& directory) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    EXPECT_TRUE(std::filesystem::is_socket(entry.path() / "s")) << entry;
    std::filesystem::remove_all(entry.path());
  }
}

HostReport::HostReport(const std::string& json) {
  valid_ = parser_.parse(json).get(root_) == simdjson::SUCCESS;
}

std::string HostReport::Text(const std::string& pointer) const {
  std::string_view text;
  if (!valid_ || root_.at_pointer(pointer).get(text) != simdjson::SUCCESS) {
    return "";
  }
  return std::string(text);
}

int HostReport::Number(const std::string& pointer) const {
  int64_t number = -1;
  if (!valid_ || root_.at_pointer(pointer).get(number) != simdjson::SUCCESS) {
    return -1;
  }
  return static_cast<int>(number);
}

bool HostReport::Flag(const std::string& pointer) const {
  bool flag = false;
  return valid_ && root_.at_pointer(pointer).get(flag) == simdjson::SUCCESS &&
         flag;
}

bool HostReport::Has(const std::string& pointer) const {
  return valid_ && root_.at_pointer(pointer).error() == simdjson::SUCCESS;
}

}  // namespace goplugin::testing

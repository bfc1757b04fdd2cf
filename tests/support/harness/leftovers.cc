#include "tests/support/harness/leftovers.h"

#include <dirent.h>
#include <grpc/grpc.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace goplugin::testing {
namespace {

namespace fs = std::filesystem;

std::string FirstLine(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

// gRPC keeps wake-up descriptors of its own and makes more of them at will.
bool BelongsToGrpc(const std::string& target) {
  return target == "anon_inode:[eventfd]" || target == "anon_inode:[eventpoll]";
}

void ListDescriptors(std::vector<std::string>& list) {
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const std::string target = fs::read_symlink(entry.path(), error).string();
    // The iterator's own descriptor.
    if (error || absl::EndsWith(target, "/fd")) continue;
    if (BelongsToGrpc(target)) continue;
    list.push_back(absl::StrCat("descriptor ", entry.path().filename().string(),
                                " ", target));
  }
}

void ListChildren(std::vector<std::string>& list) {
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::istringstream children(FirstLine(task.path() / "children"));
    std::string pid;
    while (children >> pid) {
      list.push_back(absl::StrCat("child process ", pid, " ",
                                  FirstLine(fs::path("/proc") / pid / "stat")));
    }
  }
}

void ListThreads(std::vector<std::string>& list) {
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    const std::string name = FirstLine(task.path() / "comm");
    if (absl::StartsWith(name, "goplugin-")) {
      list.push_back(absl::StrCat("thread ", name));
    }
  }
}

void ListFiles(const std::string& directory, std::vector<std::string>& list) {
  std::error_code error;
  // What is being removed meanwhile is an error of an increment, not of ours.
  for (fs::recursive_directory_iterator entry(directory, error), end;
       !error && entry != end; entry.increment(error)) {
    const std::string path = entry->path().string();
    if (!IsOfASanitizer(path)) list.push_back(absl::StrCat("file ", path));
  }
  if (error) list.push_back("files that come and go");
}

}  // namespace

bool IsOfASanitizer(const std::string& path) {
  return absl::StrContains(path, "/tsan.rodata.");
}

std::vector<std::string> ListHoldings(const std::string& directory) {
  std::vector<std::string> list;
  ListDescriptors(list);
  ListChildren(list);
  ListThreads(list);
  ListFiles(directory, list);
  std::sort(list.begin(), list.end());
  return list;
}

void AdoptOrphans() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

void WarmUpGrpc() {
  static const bool warm = [] {
    grpc_init();
    return true;
  }();
  (void)warm;
}

}  // namespace goplugin::testing

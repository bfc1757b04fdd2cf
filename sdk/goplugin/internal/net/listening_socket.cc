#include "goplugin/internal/net/listening_socket.h"

#include <dirent.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace goplugin::internal {
namespace {

// TCP_LISTEN as /proc/net/tcp writes it.
constexpr absl::string_view kListening = "0A";

// The names that /proc gives to the sockets listening at `port`.
void AddListeners(const char* table, int port, std::set<std::string>* names) {
  std::ifstream file(table);
  const std::string wanted = absl::StrFormat(":%04X", port);
  for (std::string line; std::getline(file, line);) {
    // sl local_address remote_address st queues timer retries uid timeout inode
    const std::vector<absl::string_view> fields =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    constexpr size_t kInode = 9;
    if (fields.size() <= kInode || fields[3] != kListening) continue;
    const absl::string_view local = fields[1];
    if (local.size() < wanted.size() ||
        local.substr(local.size() - wanted.size()) != wanted) {
      continue;
    }
    names->insert(absl::StrCat("socket:[", fields[kInode], "]"));
  }
}

std::string LinkTarget(const std::string& path) {
  char target[64];
  const ssize_t size = readlink(path.c_str(), target, sizeof target);
  return size <= 0 ? "" : std::string(target, static_cast<size_t>(size));
}

}  // namespace

Listens ListensAt(pid_t pid, const Endpoint& endpoint) {
  int port = 0;
  const std::string& address = endpoint.address;
  if (!absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port)) {
    return Listens::kUnknown;
  }
  std::set<std::string> sockets;
  AddListeners("/proc/net/tcp", port, &sockets);
  AddListeners("/proc/net/tcp6", port, &sockets);
  if (sockets.empty()) return Listens::kUnknown;
  const std::string path = absl::StrCat("/proc/", pid, "/fd");
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()),
                                                      &closedir);
  if (directory == nullptr) return Listens::kUnknown;
  while (const dirent* entry = readdir(directory.get())) {
    if (sockets.count(LinkTarget(absl::StrCat(path, "/", entry->d_name))) > 0) {
      return Listens::kYes;
    }
  }
  return Listens::kNo;
}

}  // namespace goplugin::internal

#include "goplugin/internal/serve/host_output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/files/directory_reader.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/net/peer.h"

namespace goplugin::internal {
namespace {

// What the kernel calls it, and shows in every process that has it: as text,
// for a look at the file may have to wait for a dead network. "" where it does
// not tell.
std::string NameOf(int directory, const char* entry) {
  char name[512];
  const ssize_t size = readlinkat(directory, entry, name, sizeof name);
  return size > 0 ? std::string(name, static_cast<size_t>(size)) : "";
}

// For the descriptors of one process: it may have a million.
constexpr absl::Duration kLongestLook = absl::Milliseconds(100);

bool IsDatagram(int socket) {
  int type = 0;
  socklen_t size = sizeof type;
  return getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
         type == SOCK_DGRAM;
}

// Of a pipe's descriptors, those open for reading.
HostOutput::OtherEnd ReaderOf(const std::string& pipe, pid_t pid) {
  const std::string path = absl::StrCat("/proc/", pid, "/fd");
  const UniqueFd directory(
      open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DirectoryReader reader(directory.get());
  if (!reader.valid() || pipe.empty()) return HostOutput::OtherEnd::kUnknown;
  const Stopwatch clock;
  while (const dirent* entry = reader.Next()) {
    struct stat link;
    if (NameOf(directory.get(), entry->d_name) == pipe &&
        fstatat(directory.get(), entry->d_name, &link, AT_SYMLINK_NOFOLLOW) ==
            0 &&
        (link.st_mode & S_IRUSR) != 0) {
      return HostOutput::OtherEnd::kHeld;
    }
    if (clock.Elapsed() > kLongestLook) return HostOutput::OtherEnd::kUnknown;
  }
  return HostOutput::OtherEnd::kNotHeld;
}

}  // namespace

HostOutput::HostOutput(int descriptor)
    : own_(fcntl(descriptor, F_DUPFD_CLOEXEC, 3)) {
  fstat(own_.get(), &file_);
  name_ = NameOf(AT_FDCWD, absl::StrCat("/proc/self/fd/", own_.get()).c_str());
}

bool HostOutput::tells() const {
  if (!own_.valid()) return false;
  if (S_ISSOCK(file_.st_mode)) return !IsDatagram(own_.get());
  return is_pipe() && (fcntl(own_.get(), F_GETFL) & O_ACCMODE) != O_RDWR;
}

// A pipe's other ends are closed: an error. A socket's: a hang-up; a host that
// has only said that it will not write is none.
bool HostOutput::has_reader() const {
  pollfd ended = {own_.get(), 0, 0};
  return poll(&ended, 1, 0) == 0;
}

bool HostOutput::IsSharedBy(pid_t pid) const {
  for (const int output : {STDOUT_FILENO, STDERR_FILENO}) {
    const std::string path = absl::StrCat("/proc/", pid, "/fd/", output);
    if (!name_.empty() && NameOf(AT_FDCWD, path.c_str()) == name_) return true;
  }
  return false;
}

HostOutput::OtherEnd HostOutput::OtherEndOf(pid_t pid) const {
  if (is_pipe()) return ReaderOf(name_, pid);
  const absl::optional<Peer> peer = PeerOf(own_.get());
  if (!peer.has_value() || peer->pid <= 0) return OtherEnd::kUnknown;
  return peer->pid == pid ? OtherEnd::kHeld : OtherEnd::kNotHeld;
}

}  // namespace goplugin::internal

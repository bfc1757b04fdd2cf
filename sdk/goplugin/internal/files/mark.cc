#include "goplugin/internal/files/mark.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "goplugin/internal/files/file_error.h"
#include "goplugin/internal/process/held_process.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {
namespace {

// It is written beside, then renamed: a host may die at any moment, and half a
// mark would be none.
constexpr char kName[] = "m";
constexpr char kNewName[] = "n";

// 0 where /proc does not tell.
std::uint64_t PidNamespace() {
  struct stat info;
  return stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

struct Text {
  Mark mark;
  std::uint64_t pid_namespace = 0;
};

absl::optional<Text> Read(const Directory& outer) {
  const UniqueFd file(openat(outer.fd(), kName,
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid()) {
    if (errno == ENOENT) return absl::nullopt;
    return Text();
  }
  char bytes[128];
  const ssize_t size = read(file.get(), bytes, sizeof bytes);
  const std::vector<std::string> fields = absl::StrSplit(
      std::string(bytes, size > 0 ? static_cast<size_t>(size) : 0), ' ');
  Text text;
  if (fields.size() != 3 || !absl::SimpleAtoi(fields[0], &text.mark.pid) ||
      !absl::SimpleAtoi(fields[1], &text.mark.start_time) ||
      !absl::SimpleAtoi(fields[2], &text.pid_namespace)) {
    return Text();  // one that says nothing more than that it is there
  }
  return text;
}

// A process that has ended and was not waited for is not alive.
bool MayBeAlive(const Mark& mark) {
  const absl::optional<uint64_t> started = ProcessStartTime(mark.pid);
  if (started.has_value()) {
    return mark.start_time == 0 || *started == mark.start_time;
  }
  if (kill(mark.pid, 0) != 0 && errno == ESRCH) return false;
  // Ended, if /proc shows it at all.
  return access(absl::StrCat("/proc/", mark.pid).c_str(), F_OK) != 0;
}

}  // namespace

absl::Status WriteMark(const Directory& outer, const Mark& mark) {
  const std::string text =
      absl::StrCat(mark.pid, " ", mark.start_time, " ", PidNamespace());
  const std::string path = outer.PathOf(kName);
  const UniqueFd file(
      openat(outer.fd(), kNewName,
             O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
             0600));
  if (!file.valid()) return FileError("making", path, errno);
  if (write(file.get(), text.data(), text.size()) !=
          static_cast<ssize_t>(text.size()) ||
      renameat(outer.fd(), kNewName, outer.fd(), kName) != 0) {
    return FileError("writing", path, errno);
  }
  return absl::OkStatus();
}

absl::optional<Mark> ReadMark(const Directory& outer) {
  const absl::optional<Text> text = Read(outer);
  if (!text.has_value()) return absl::nullopt;
  return text->mark;
}

bool MarkMayLive(const Directory& outer) {
  const absl::optional<Text> text = Read(outer);
  if (!text.has_value()) return false;
  if (text->mark.pid <= 0 || text->pid_namespace == 0 ||
      text->pid_namespace != PidNamespace()) {
    return true;
  }
  return MayBeAlive(text->mark);
}

}  // namespace goplugin::internal

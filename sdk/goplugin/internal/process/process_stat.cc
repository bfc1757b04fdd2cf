#include "goplugin/internal/process/process_stat.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace goplugin::internal {
namespace {

std::string ReadStat(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

bool ProcHasOurNumbers() {
  char number[16] = {};
  const ssize_t size = readlink("/proc/self", number, sizeof number - 1);
  return size > 0 && absl::StrCat(getpid()) == number;
}

absl::optional<ProcessStat> ReadProcessStat(pid_t pid) {
  if (!ProcHasOurNumbers()) return absl::nullopt;
  const std::string text = ReadStat(pid);
  // The program's name, in parentheses, may hold anything.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return absl::nullopt;
  const std::vector<absl::string_view> fields = absl::StrSplit(
      absl::string_view(text).substr(name_end + 1), ' ', absl::SkipEmpty());
  // proc(5) numbers them from 1; the state is the third.
  constexpr size_t kState = 0;
  constexpr size_t kParent = 4 - 3;
  constexpr size_t kUserTime = 14 - 3;
  constexpr size_t kSystemTime = 15 - 3;
  constexpr size_t kThreads = 20 - 3;
  constexpr size_t kStartTime = 22 - 3;
  constexpr size_t kMemory = 24 - 3;
  ProcessStat stat;
  uint64_t system = 0;
  int threads = 0;
  if (fields.size() <= kMemory ||
      !absl::SimpleAtoi(fields[kParent], &stat.parent) ||
      !absl::SimpleAtoi(fields[kUserTime], &stat.processor_ticks) ||
      !absl::SimpleAtoi(fields[kSystemTime], &system) ||
      !absl::SimpleAtoi(fields[kThreads], &threads) ||
      !absl::SimpleAtoi(fields[kStartTime], &stat.start_time) ||
      !absl::SimpleAtoi(fields[kMemory], &stat.memory_pages)) {
    return absl::nullopt;
  }
  stat.processor_ticks += system;
  // The main thread may go before the others.
  stat.has_ended =
      threads <= 1 && (fields[kState] == "Z" || fields[kState] == "X");
  stat.is_stopped = fields[kState] == "T" || fields[kState] == "t";
  return stat;
}

}  // namespace goplugin::internal

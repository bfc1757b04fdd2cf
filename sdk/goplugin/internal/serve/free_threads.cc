#include "goplugin/internal/serve/free_threads.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/serve/thread_limits.h"

namespace goplugin::internal {
namespace {

// What gRPC and Serve have in the first moments of a plugin with a connection
// and a call, and some more: gRPC's pools grow with the processors.
std::size_t WantedThreads() {
  return 18 + 2 * std::min(std::thread::hardware_concurrency(), 16u);
}

// As much of a file as says what it is about.
std::string ReadStart(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[4096];
  const ssize_t size = read(file.get(), text, sizeof text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
}

rlim_t SoftLimit(int resource) {
  rlimit limit = {};
  return getrlimit(resource, &limit) == 0 ? limit.rlim_cur : 0;
}

ResourceLimits OwnLimits() {
  ResourceLimits limits;
  limits.processes = SoftLimit(RLIMIT_NPROC);
  limits.address_space = SoftLimit(RLIMIT_AS);
  limits.data = SoftLimit(RLIMIT_DATA);
  return limits;
}

absl::Status TryThreads(std::size_t wanted) {
  absl::Notification all_seen;
  std::vector<SdkThread> threads;
  absl::Status status;
  while (status.ok() && threads.size() < wanted) {
    absl::StatusOr<SdkThread> thread = StartSdkThread(
        "goplugin-check", [&all_seen] { all_seen.WaitForNotification(); });
    status = thread.status();
    if (thread.ok()) threads.push_back(*std::move(thread));
  }
  all_seen.Notify();
  for (SdkThread& thread : threads) thread.Join();
  return status;
}

}  // namespace

absl::Status CheckFreeThreads() {
  const std::size_t wanted = WantedThreads();
  if (ThreadLimitsAreFar(wanted, OwnLimits(), ReadStart)) {
    return absl::OkStatus();
  }
  return TryThreads(wanted);
}

}  // namespace goplugin::internal

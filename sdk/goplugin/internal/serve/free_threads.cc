#include "goplugin/internal/serve/free_threads.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "goplugin/internal/loop/sdk_thread.h"

namespace goplugin::internal {
namespace {

// What gRPC and Serve have in the first moments of a plugin with a connection
// and a call, and some more: gRPC's pools grow with the processors.
std::size_t WantedThreads() {
  return 16 + 2 * std::min(std::thread::hardware_concurrency(), 16u);
}

}  // namespace

absl::Status CheckFreeThreads() {
  const std::size_t wanted = WantedThreads();
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

}  // namespace goplugin::internal

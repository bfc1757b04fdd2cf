#ifndef GOPLUGIN_LAUNCH_OPERATION_H_
#define GOPLUGIN_LAUNCH_OPERATION_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/language.h"

namespace goplugin {

class Client;
namespace internal {
class Session;
class Told;
}  // namespace internal

// A launch (or reattach, or attach) under way, from Client::LaunchAsync and its
// like. Dropping it stops no launch that was given a callback; of one that was
// not, the plugin is ended as soon as it is ready, by the library's own
// threads. Where it is ready by then and was not taken, dropping the last copy
// ends it as ~Client does, and may block as long.
//
// Example, several plugins at the same time:
//   std::vector<goplugin::LaunchOperation> launches;
//   for (const goplugin::Command& command : commands) {
//     launches.push_back(goplugin::Client::LaunchAsync(command, options));
//   }
//   for (goplugin::LaunchOperation& launch : launches) {
//     absl::StatusOr<std::unique_ptr<goplugin::Client>> client = launch.Wait();
//     if (!client.ok()) return client.status();
//     clients.push_back(*std::move(client));
//   }
//
// A value; copies are the same operation. The methods may be called from any
// thread at any time, on one object or on copies; of several Waits one gets
// what there is.
class LaunchOperation {
 public:
  LaunchOperation() = default;

  // Waits for the client of a launch without a callback, and gives what Launch
  // would have returned: at most as long as that takes. Errors: those of
  // Launch; kOptions at once for a launch with a callback, and where another
  // Wait has the client or waits for it; kWrongThread in a callback of this
  // library, where the launch goes on; kForked, kShutDown.
  absl::StatusOr<std::unique_ptr<Client>> Wait();

  // Ends the launch: what was started is killed and swept, and the callback, or
  // Wait, gets an error of Reason::kCancelled. Without effect once it is over.
  // Thread-safe, never blocks.
  void Cancel();

  // The same, and waits until nothing of the launch is left and its callback
  // has returned; for one that is over, until that. At most
  // options.shutdown.kill_timeout and 4 s, and what the callback takes; a
  // second once the process exits, when callbacks are begun no more. Errors:
  // kWrongThread in a callback of this library, where the launch is not
  // cancelled; kForked.
  absl::Status CancelAndWait();

 private:
  friend class Client;
  using Result = absl::StatusOr<std::unique_ptr<Client>>;

  LaunchOperation(std::weak_ptr<internal::Session> session,
                  std::shared_ptr<internal::Told> told,
                  std::shared_ptr<Result> result)
      : session_(std::move(session)),
        told_(std::move(told)),
        result_(std::move(result)) {}

  std::weak_ptr<internal::Session> session_;
  std::shared_ptr<internal::Told> told_;
  // Null where there is a callback. Whose Wait may have it, `told_` knows.
  std::shared_ptr<Result> result_;
};

}  // namespace goplugin

#endif  // GOPLUGIN_LAUNCH_OPERATION_H_

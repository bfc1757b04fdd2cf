#ifndef GOPLUGIN_INTERNAL_SUPERVISE_SOURCE_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_SOURCE_H_

#include <functional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/client.h"
#include "goplugin/client_options.h"
#include "goplugin/launch_operation.h"

namespace goplugin::internal {

// Where a supervised plugin comes from: a way to begin a launch, as often as
// one is needed.
struct Source {
  using Launch = absl::AnyInvocable<LaunchOperation(ClientOptions,
                                                    Client::LaunchCallback) &&>;

  // The program's path or the target; empty for other sources.
  std::string name;
  // What one launch needs: the host's own code, which may never return. Called
  // on a thread of the pool, as is what it gives.
  std::function<absl::StatusOr<Launch>()> make_launch;
  // What can be said without starting anything.
  std::function<absl::Status(const ClientOptions&)> check;
  // It is the host's own code that spawns: what that fails with may pass.
  bool by_runner = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_SOURCE_H_

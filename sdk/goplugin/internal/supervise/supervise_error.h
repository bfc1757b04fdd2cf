#ifndef GOPLUGIN_INTERNAL_SUPERVISE_SUPERVISE_ERROR_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_SUPERVISE_ERROR_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace goplugin::internal {

// What a supervisor says beside what its clients say.

// kTimeout: it does not answer for its health. `silence`: since it was heard
// of.
absl::Status HungError(int missed, absl::Duration silence);
// kTimeout: it was launched, and not prepared or not healthy in time.
absl::Status NotPreparedError(bool prepared, absl::Duration timeout);
// What the host's own prepare said, with its code; as it is where it has a
// reason already.
absl::Status PrepareError(const absl::Status& status);
// kAppVersion: stubs are made for `expected`.
absl::Status VersionError(std::uint32_t expected, std::uint32_t negotiated);
// kShutDown.
absl::Status SupervisorShutDownError();
// kShutDown: the host ended it, by its client or with all others.
absl::Status EndedByOthersError();
// kTimeout's sibling for a start: the factory of runners did not return.
absl::Status FactoryHangsError(absl::Duration timeout);
// kResources: so many of the SDK's threads have not returned from the host's
// code.
absl::Status TooMuchStuckError(std::int64_t threads);

// `error` with who it is about as its first evidence.
absl::Status OfReplica(const absl::Status& error, int replica,
                       std::uint64_t generation);

// Whether a start that failed so would fail again: the file, the version, the
// options would have to change first.
// `by_runner`: the host's own code starts it, whose reasons nobody knows.
bool IsUnhealable(const absl::Status& failure, bool by_runner);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_SUPERVISE_ERROR_H_

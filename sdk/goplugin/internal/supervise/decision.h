#ifndef GOPLUGIN_INTERNAL_SUPERVISE_DECISION_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_DECISION_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"

namespace goplugin::internal {

// Names what a caller asked for, and waits for. 0: nobody waits.
using Request = std::uint64_t;

// What is to be done now.
struct Decision {
  enum class Kind {
    kStart,     // launch `generation` of `slot` from source `version`
    kPrepare,   // have it prepared
    kCheck,     // ask for its health
    kUse,       // calls may go to it
    kWithdraw,  // no further calls; those under way go on
    kEnd,       // end it, or its launch, by the ladder
    kAnswer,    // `request` is over, with `status`
  };

  Kind kind = Kind::kStart;
  std::uint64_t generation = 0;
  int slot = 0;
  int version = 0;
  Request request = 0;
  absl::Status status;
};

using Decisions = std::vector<Decision>;

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_DECISION_H_

#ifndef GOPLUGIN_INTERNAL_FILES_REMOVAL_H_
#define GOPLUGIN_INTERNAL_FILES_REMOVAL_H_

#include <string>

#include "absl/time/time.h"
#include "goplugin/internal/files/directory.h"

namespace goplugin::internal {

// How long the end of a client waits for the removal of its files. What is left
// then goes on later, or is left to the next sweep.
constexpr absl::Duration kRemovalWait = absl::Seconds(1);

enum class Removal {
  kDone,   // nothing is left
  kMore,   // the time is over: call again, or leave it to the next sweep
  kStuck,  // something can't be removed: another user's directory, a mount
};

// Removes the subdirectory `name` of `parent` with all that is in it, whoever
// puts what there meanwhile, until the deadline.
//
// By descriptor, without following links. Directories are entered only if they
// are this user's or the subdirectory's owner's, and on the same mount: what
// else a plugin moved there stays, as neither is its own. Of any depth: no more
// than kMaxRemovalDepth are open at once, what is deeper is moved up first.
// Only a user's own directory can be removed from /tmp: one that was lent is
// taken back.
Removal RemoveTree(const Directory& parent, const std::string& name,
                   absl::Time deadline);

constexpr int kMaxRemovalDepth = 16;

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_REMOVAL_H_

#ifndef GOPLUGIN_INTERNAL_FILES_REMOVAL_H_
#define GOPLUGIN_INTERNAL_FILES_REMOVAL_H_

#include <string>

#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/files/time_limit.h"

namespace goplugin::internal {

enum class Removal {
  kDone,   // nothing is left
  kMore,   // the time was over: call again, or leave it to the next sweep
  kStuck,  // something can't be removed: another user's directory, a mount
};

// At most so many directories are open at once. What is deeper is moved up
// first, so that trees of any depth can be removed.
constexpr int kMaxRemovalDepth = 16;

// Removes the subdirectory `name` of `parent` with all that is in it, whoever
// puts more there meanwhile, within the limit.
//
// By descriptor, without following links or crossing mounts. Directories are
// entered only if they belong to the tree's own owner (a plugin's user), or to
// this user and nobody else may write to them: what else is there was moved
// there, is not the owner's to give away, and stays. Whatever has to be this
// user's to be removed is made so.
Removal RemoveTree(const Directory& parent, const std::string& name,
                   const TimeLimit& limit);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_REMOVAL_H_

#ifndef GOPLUGIN_INTERNAL_PROCESS_DETACHED_H_
#define GOPLUGIN_INTERNAL_PROCESS_DETACHED_H_

#include "goplugin/internal/process/spawn.h"

namespace goplugin::internal {

// Children that nobody watches any more stay children: when one ends while this
// process lives, its entry in the process table waits to be read. Kept here for
// that. Its pipes are closed. Thread-safe.
void KeepDetached(ChildProcess child);

// Frees the entries of those that have ended. Never blocks; called whenever a
// plugin is started, or an exit seen. Thread-safe; without effect in a forked
// copy of the process.
void ReapDetached();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_DETACHED_H_

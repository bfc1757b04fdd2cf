#ifndef GOPLUGIN_INTERNAL_PROCESS_VERIFIED_PROGRAM_H_
#define GOPLUGIN_INTERNAL_PROCESS_VERIFIED_PROGRAM_H_

#include <atomic>
#include <string>

#include "absl/status/statusor.h"
#include "goplugin/command.h"
#include "goplugin/internal/process/caller_context.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// Opens `program`, the file that `command` names, as the caller sees it, and
// checks it against command.secure_config, which must be set. What comes back
// holds the checked bytes and is to be executed by descriptor; with kSealedCopy
// nobody can change them any more.
//
// Errors: kSpawn when there is no file to check, kChecksum when it is another
// one or a script, kCancelled soon after `abandoned` (may be null) is set.
// Reads the whole file: for a thread that may block.
absl::StatusOr<UniqueFd> OpenVerifiedProgram(
    const Command& command, const std::string& program,
    const CallerContext& caller, const std::atomic<bool>* abandoned);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_VERIFIED_PROGRAM_H_

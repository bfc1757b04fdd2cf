#ifndef GOPLUGIN_INTERNAL_PROCESS_DIAGNOSE_H_
#define GOPLUGIN_INTERNAL_PROCESS_DIAGNOSE_H_

#include <string>

#include "absl/status/status.h"
#include "goplugin/command.h"
#include "goplugin/internal/process/caller_context.h"
#include "goplugin/internal/process/child_setup.h"

namespace goplugin::internal {

// A program that could not be started, and what the system said.
struct SpawnFailure {
  // The file that was to be executed: Command::path, made absolute or found in
  // PATH as the command asks.
  std::string program = {};
  // Whose directory and PATH count. Borrowed, never null.
  const CallerContext* caller = nullptr;
  SpawnStep step = SpawnStep::kExec;
  int error_number = 0;
  // See CloneResult.
  size_t item = 0;
  // Bytes of arguments and environment together, and of the longest of them.
  size_t argument_bytes = 0;
  size_t longest_argument = 0;
};

// Looks at the file, its directories and the system's limits for the cause.
// Always an error, of reason kSpawn. What it reads may have changed since the
// failure, so the system's own word is part of the evidence. Reads a few KiB of
// the file at most.
absl::Status DiagnoseSpawn(const Command& command, const SpawnFailure& failure);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_DIAGNOSE_H_

#ifndef GOPLUGIN_INTERNAL_PROCESS_DIAGNOSE_FILE_H_
#define GOPLUGIN_INTERNAL_PROCESS_DIAGNOSE_FILE_H_

#include <string>
#include <vector>

#include "goplugin/command.h"
#include "goplugin/internal/process/caller_context.h"

namespace goplugin::internal {

// What was found out about a failure.
struct Findings {
  std::vector<std::string> evidence = {};
  // "" when nothing better than a general hint is known.
  std::string hint = {};
};

// Why exec of `program`, which is what `command` names, gave `error_number`.
Findings DiagnoseFile(const Command& command, const CallerContext& caller,
                      const std::string& program, int error_number);

// Why the command's working directory can't be entered.
Findings DiagnoseWorkingDirectory(const Command& command,
                                  const CallerContext& caller);

// "the host runs as 1000:1000".
std::string HostIdentity();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_DIAGNOSE_FILE_H_

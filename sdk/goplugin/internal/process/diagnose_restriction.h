#ifndef GOPLUGIN_INTERNAL_PROCESS_DIAGNOSE_RESTRICTION_H_
#define GOPLUGIN_INTERNAL_PROCESS_DIAGNOSE_RESTRICTION_H_

#include "goplugin/command.h"
#include "goplugin/internal/process/diagnose.h"
#include "goplugin/internal/process/diagnose_file.h"

namespace goplugin::internal {

// Why a control group, limit, user or descriptor of `command` could not be had.
// Nothing for the other steps.
Findings DiagnoseRestriction(const Command& command,
                             const SpawnFailure& failure);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_DIAGNOSE_RESTRICTION_H_

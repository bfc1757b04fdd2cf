#ifndef EXAMPLES_INSPECT_INSPECTION_H_
#define EXAMPLES_INSPECT_INSPECTION_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "examples/inspect/arguments.h"
#include "examples/inspect/report.pb.h"
#include "examples/inspect/schema.h"

namespace inspect {

// What is to be done, as far as it can be known without the plugin.
struct Plan {
  Arguments arguments;
  // From --proto or --descriptor-set; null when the plugin is to be asked.
  std::unique_ptr<Schema> schema;
  // The request of --call; unset when its description is to come.
  absl::optional<std::string> request;
};

// Reads the files that the arguments name, and makes the request. Errors are
// the user's: the files, or what --call and --json ask for in them.
absl::StatusOr<Plan> MakePlan(Arguments arguments);

// Starts the plugin, asks it everything, and ends it. Where something fails,
// the report has an error, and what was found before and after it.
Report Inspect(Plan plan);

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_INSPECTION_H_

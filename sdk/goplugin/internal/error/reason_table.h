#ifndef GOPLUGIN_INTERNAL_ERROR_REASON_TABLE_H_
#define GOPLUGIN_INTERNAL_ERROR_REASON_TABLE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"

namespace goplugin::internal {

// Under which the details travel in an absl::Status.
inline constexpr absl::string_view kErrorDetailsUrl =
    "type.googleapis.com/goplugin.wire.ErrorDetails";

struct ReasonRow {
  const char* name;
  Reason reason;
  absl::StatusCode code;
};

// The row of `reason`; that of kUnknown for a value outside the enumeration.
const ReasonRow& FindReason(Reason reason);

// kUnknown for a name that is not in the table (a newer library's).
Reason ReasonFromName(absl::string_view name);

// The one reason that has `code`; kUnknown when there are several, or none.
Reason ReasonFromCode(absl::StatusCode code);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ERROR_REASON_TABLE_H_

#ifndef GOPLUGIN_INTERNAL_ERROR_MAKE_ERROR_H_
#define GOPLUGIN_INTERNAL_ERROR_MAKE_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"

namespace goplugin::internal {

// The one way to make a status: the code follows from the reason, the message
// reads
//   what; hint: ...; evidence; evidence; exit status; last stderr: ...
// and what it does not say travels as a payload: GetErrorDetails reads both
// back. Any bytes and any length will do: what becomes of them is said at
// ErrorDetails.
absl::Status MakeError(const ErrorDetails& details);

// Shorthand for an error without process evidence.
absl::Status MakeError(Reason reason, std::string what, std::string hint);

// `quoted` as evidence: of a certificate the first characters and the number of
// all, bytes outside printable ASCII escaped, cut in the middle to `max_bytes`
// with the number of bytes left out.
std::string Quote(absl::string_view quoted, size_t max_bytes = 512);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ERROR_MAKE_ERROR_H_

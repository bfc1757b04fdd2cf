#ifndef GOPLUGIN_INTERNAL_FILES_FILE_ERROR_H_
#define GOPLUGIN_INTERNAL_FILES_FILE_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace goplugin::internal {

// Hints that hold wherever the file is.
extern const char kHintForDescriptors[];
extern const char kHintForProc[];

// What a failed system call says: "<doing> <path>: <errno's text>".
std::string FileProblem(absl::string_view doing, absl::string_view path,
                        int error_number);

// kTransport with that evidence, and a hint that follows from the errno.
absl::Status FileError(absl::string_view doing, absl::string_view path,
                       int error_number);

// The same for what went by way of /proc/self/fd: where /proc is missing, the
// error says so.
absl::Status ProcFileError(absl::string_view doing, absl::string_view path,
                           int error_number);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_FILE_ERROR_H_

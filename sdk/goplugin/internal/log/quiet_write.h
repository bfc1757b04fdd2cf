#ifndef GOPLUGIN_INTERNAL_LOG_QUIET_WRITE_H_
#define GOPLUGIN_INTERNAL_LOG_QUIET_WRITE_H_

#include <sys/types.h>

#include <cstddef>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

// write(2), but for this: at a pipe that nobody reads it fails with EPIPE and
// nothing else. No SIGPIPE comes of it, now or later; one that waits already,
// and the thread's mask, stay as they were. Thread-safe.
ssize_t QuietWrite(int descriptor, absl::string_view data);

// The same for all of `data`, with as many calls as it takes. How much was
// written: less than all when a call failed, as with EAGAIN where the
// descriptor does not block.
std::size_t QuietWriteAll(int descriptor, absl::string_view data);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_QUIET_WRITE_H_

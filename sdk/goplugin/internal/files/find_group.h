#ifndef GOPLUGIN_INTERNAL_FILES_FIND_GROUP_H_
#define GOPLUGIN_INTERNAL_FILES_FIND_GROUP_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"

namespace goplugin::internal {

// The number of the group that a socket group option names: as in Go, first a
// group of that name, whatever it looks like, then a number. Asks the name
// service, which may block. Errors: kOptions.
absl::StatusOr<gid_t> FindGroup(const std::string& group);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_FIND_GROUP_H_

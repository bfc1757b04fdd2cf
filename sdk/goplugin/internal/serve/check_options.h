#ifndef GOPLUGIN_INTERNAL_SERVE_CHECK_OPTIONS_H_
#define GOPLUGIN_INTERNAL_SERVE_CHECK_OPTIONS_H_

#include "absl/status/status.h"
#include "goplugin/server_options.h"

namespace goplugin::internal {

// An error of kOptions that names the field, for the first that can't work.
absl::Status CheckServeOptions(const ServeOptions& options);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_CHECK_OPTIONS_H_

#ifndef GOPLUGIN_INTERNAL_SERVE_SERVE_PLUGIN_H_
#define GOPLUGIN_INTERNAL_SERVE_SERVE_PLUGIN_H_

#include "goplugin/server_options.h"

namespace goplugin::internal {

// What goplugin::Serve does; see there.
int ServePlugin(const ServeOptions& options);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_SERVE_PLUGIN_H_

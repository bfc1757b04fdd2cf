#include "goplugin/server.h"

#include "goplugin/internal/serve/serve_plugin.h"

namespace goplugin {

int Serve(const ServeOptions& options) {
  return internal::ServePlugin(options);
}

}  // namespace goplugin

#ifndef GOPLUGIN_INTERNAL_VERSIONS_GRPC_ENDPOINTS_H_
#define GOPLUGIN_INTERNAL_VERSIONS_GRPC_ENDPOINTS_H_

#include <grpcpp/version_info.h>

// Whether gRPC takes connections of ours: an engine per channel
// (GRPC_ARG_EVENT_ENGINE) and passive listeners, with the interface that 1.83
// has for them. A macro, for the names are not there before. endpoint/ alone
// asks.
#define GOPLUGIN_GRPC_TAKES_ENDPOINTS \
  (GRPC_CPP_VERSION_MAJOR > 1 || GRPC_CPP_VERSION_MINOR >= 83)

#endif  // GOPLUGIN_INTERNAL_VERSIONS_GRPC_ENDPOINTS_H_

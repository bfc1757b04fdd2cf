#include "goplugin/internal/endpoint/endpoint_kind.h"

#include <atomic>

#include "goplugin/internal/versions/grpc_endpoints.h"

namespace goplugin::internal {
namespace {

std::atomic<bool> uses_own{GOPLUGIN_GRPC_TAKES_ENDPOINTS};

}  // namespace

bool UsesOwnEndpoints() { return uses_own; }

void UseGrpcsEndpointsForTest() { uses_own = false; }

}  // namespace goplugin::internal

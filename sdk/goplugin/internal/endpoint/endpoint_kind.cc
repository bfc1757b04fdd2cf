#include "goplugin/internal/endpoint/endpoint_kind.h"

#include <atomic>
#include <memory>

#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/versions/grpc_endpoints.h"

namespace goplugin::internal {
namespace {

std::atomic<bool> uses_own{GOPLUGIN_GRPC_TAKES_ENDPOINTS};

}  // namespace

bool UsesOwnEndpoints() { return uses_own; }

std::unique_ptr<IoPlace> PlaceForStreams() {
  return UsesOwnEndpoints() ? IoPlace::Take() : nullptr;
}

void UseGrpcsEndpointsForTest() { uses_own = false; }

}  // namespace goplugin::internal

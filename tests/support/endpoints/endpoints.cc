// Chooses whose connections gRPC uses: GOPLUGIN_TEST_ENDPOINTS=grpc, in the
// environment of a test and, by it, of the plugins that it starts.

#include <cstdlib>

#include "absl/strings/string_view.h"
#include "goplugin/internal/endpoint/endpoint_kind.h"

namespace goplugin::testing {
namespace {

bool Choose() {
  const char* const kind = getenv("GOPLUGIN_TEST_ENDPOINTS");
  if (kind == nullptr || absl::string_view(kind) != "grpc") return false;
  internal::UseGrpcsEndpointsForTest();
  return true;
}

[[maybe_unused]] const bool kChosen = Choose();

}  // namespace
}  // namespace goplugin::testing

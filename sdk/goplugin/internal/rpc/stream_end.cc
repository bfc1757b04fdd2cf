#include "goplugin/internal/rpc/stream_end.h"

namespace goplugin::internal {
namespace {

// What is refused is refused within this time.
constexpr absl::Duration kRefusal = absl::Milliseconds(200);

}  // namespace

bool WasCut(const grpc::Status& status, absl::Duration open) {
  if (open < kRefusal) return false;
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return false;
    default:
      return true;
  }
}

}  // namespace goplugin::internal

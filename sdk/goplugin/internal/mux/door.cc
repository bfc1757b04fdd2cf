#include "goplugin/internal/mux/door.h"

#include "goplugin/internal/mux/multiplexer.h"

namespace goplugin::internal {

void Door::Close() {
  if (const auto multiplexer = multiplexer_.lock()) {
    multiplexer->CloseDoor(key_);
  }
}

}  // namespace goplugin::internal

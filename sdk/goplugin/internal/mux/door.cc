#include "goplugin/internal/mux/door.h"

#include <utility>

#include "goplugin/internal/mux/multiplexer.h"
#include "goplugin/internal/mux/visitor.h"

namespace goplugin::internal {

void Door::Close() {
  if (const auto multiplexer = multiplexer_.lock()) {
    multiplexer->CloseDoor(key_);
  }
}

void Door::Enter(StreamCallback entered) {
  Visitor visitor(std::move(entered));
  if (const auto multiplexer = multiplexer_.lock()) {
    multiplexer->Enter(key_, std::move(visitor));
  }
}

}  // namespace goplugin::internal

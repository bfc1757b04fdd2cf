#include "goplugin/internal/broker/use_door.h"

#include <utility>

#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/endpoint/use_endpoints.h"

namespace goplugin::internal {

void UseDoor(const std::shared_ptr<Door>& door,
             grpc::ChannelArguments& arguments) {
  if (door->is_socket()) return KeepAlive(door, arguments);
  UseStreams(
      [door](StreamCallback entered) { door->Enter(std::move(entered)); },
      arguments);
}

}  // namespace goplugin::internal

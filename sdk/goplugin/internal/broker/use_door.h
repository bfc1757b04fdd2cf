#ifndef GOPLUGIN_INTERNAL_BROKER_USE_DOOR_H_
#define GOPLUGIN_INTERNAL_BROKER_USE_DOOR_H_

#include <grpcpp/support/channel_arguments.h>

#include <memory>

#include "goplugin/internal/mux/door.h"

namespace goplugin::internal {

// Has the channel that is made with the arguments, and the door's endpoint for
// its target, come by the door each time that it connects, and keep it.
void UseDoor(const std::shared_ptr<Door>& door,
             grpc::ChannelArguments& arguments);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_BROKER_USE_DOOR_H_

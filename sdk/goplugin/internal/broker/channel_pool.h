#ifndef GOPLUGIN_INTERNAL_BROKER_CHANNEL_POOL_H_
#define GOPLUGIN_INTERNAL_BROKER_CHANNEL_POOL_H_

#include <grpcpp/channel.h>

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/endpoint.h"

namespace goplugin::internal {

// The channels that callers hold, by where they lead: two ids of one server
// need one connection. Only unix sockets, whose paths are not used twice; a tcp
// port may belong to somebody else by now. Thread-safe.
class ChannelPool {
 public:
  // A channel to `endpoint` whose connection stands; null when there is none.
  std::shared_ptr<grpc::Channel> Find(const Endpoint& endpoint);
  // Remembers `channel` for as long as somebody holds it.
  void Add(const Endpoint& endpoint,
           const std::shared_ptr<grpc::Channel>& channel);

 private:
  absl::Mutex mutex_;
  std::map<std::string, std::weak_ptr<grpc::Channel>> channels_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_BROKER_CHANNEL_POOL_H_

#include "goplugin/internal/broker/channel_pool.h"

#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

std::shared_ptr<grpc::Channel> ChannelPool::Find(const Endpoint& endpoint) {
  if (endpoint.network != Endpoint::Network::kUnix) return nullptr;
  std::shared_ptr<grpc::Channel> channel;
  MutexLock lock(mutex_);
  auto found = channels_.find(endpoint.address);
  if (found == channels_.end()) return nullptr;
  channel = found->second.lock();
  if (channel == nullptr ||
      channel->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_READY) {
    channels_.erase(found);
    return nullptr;
  }
  return channel;
}

void ChannelPool::Add(const Endpoint& endpoint,
                      const std::shared_ptr<grpc::Channel>& channel) {
  if (endpoint.network != Endpoint::Network::kUnix) return;
  MutexLock lock(mutex_);
  for (auto entry = channels_.begin(); entry != channels_.end();) {
    entry = entry->second.expired() ? channels_.erase(entry) : std::next(entry);
  }
  channels_[endpoint.address] = channel;
}

}  // namespace goplugin::internal

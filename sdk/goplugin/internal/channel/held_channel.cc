#include "goplugin/internal/channel/held_channel.h"

#include <grpc/grpc.h>
#include <grpcpp/alarm.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/support/client_interceptor.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/channel/connecting_sockets.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// Channels that were given up while they connect: their sockets are shut down,
// and they are held until gRPC has closed those. It looks for that: to hear of
// it would take a thread. One for all, never destroyed; thread-safe.
class GivenUpChannels {
 public:
  struct GivenUp {
    std::shared_ptr<grpc::Channel> channel;
    // Null where it is not known.
    std::shared_ptr<ConnectingSockets> sockets;
    std::chrono::steady_clock::time_point until;
    // A forked child has none of gRPC's threads.
    pid_t owner = getpid();
  };

  static GivenUpChannels& Instance() {
    static auto* const instance = new GivenUpChannels;
    return *instance;
  }

  // Whether `channel` must not be destroyed yet; ends its connections.
  static bool IsNeeded(const GivenUp& channel) {
    if (channel.owner != getpid()) return false;
    const grpc_connectivity_state state =
        channel.channel->GetState(/*try_to_connect=*/false);
    if (channel.sockets == nullptr) return state == GRPC_CHANNEL_CONNECTING;
    // After a failure it connects again, and says so no more.
    if (state != GRPC_CHANNEL_CONNECTING &&
        state != GRPC_CHANNEL_TRANSIENT_FAILURE) {
      return false;
    }
    // A call waits for the connection.
    if (channel.channel.use_count() > 1) return true;
    return channel.sockets->ShutDown();
  }

  void Keep(GivenUp channel) {
    MutexLock lock(mutex_);
    channel.until = Clock::now() + kLongest;
    kept_.push_back(std::move(channel));
    if (kept_.size() == 1) LookLater();
  }

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::milliseconds kBetweenLooks{10};
  // gRPC notices within 5 s when no thread waits for the channel. Where the
  // sockets are not known: an attempt takes 20 s, and "localhost" is two.
  static constexpr std::chrono::seconds kLongest{60};

  // On a thread of gRPC's.
  void Look() {
    // Ended without the lock.
    std::vector<GivenUp> over;
    MutexLock lock(mutex_);
    const Clock::time_point now = Clock::now();
    const auto first_over = std::partition(
        kept_.begin(), kept_.end(), [now](const GivenUp& channel) {
          return now < channel.until && IsNeeded(channel);
        });
    std::move(first_over, kept_.end(), std::back_inserter(over));
    kept_.erase(first_over, kept_.end());
    if (!kept_.empty()) LookLater();
  }

  void LookLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    // One that has gone off can't be set again.
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(std::chrono::system_clock::now() + kBetweenLooks,
                [this](bool /*ok*/) { Look(); });
  }

  absl::Mutex mutex_;
  std::vector<GivenUp> kept_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
};

// Interceptors that end when their channel is given up, on the thread that does
// so: they are the user's, and gRPC's threads are everybody's.
class LentInterceptors final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  static InterceptorFactories Of(
      const std::shared_ptr<InterceptorFactories>& owned) {
    InterceptorFactories lent;
    for (size_t i = 0; i < owned->size(); ++i) {
      lent.push_back(std::make_unique<LentInterceptors>(owned, i));
    }
    return lent;
  }

  LentInterceptors(std::shared_ptr<InterceptorFactories> owned, size_t index)
      : owned_(std::move(owned)), index_(index) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* info) override {
    if (index_ >= owned_->size()) return nullptr;
    return (*owned_)[index_]->CreateClientInterceptor(info);
  }

 private:
  const std::shared_ptr<InterceptorFactories> owned_;
  const size_t index_;
};

}  // namespace

std::shared_ptr<grpc::Channel> CreateHeldChannel(
    const std::string& target,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    grpc::ChannelArguments arguments, InterceptorFactories interceptors) {
  auto owned = std::make_shared<InterceptorFactories>(std::move(interceptors));
  GivenUpChannels::GivenUp channel;
  channel.sockets = ConnectingSockets::Watch(arguments);
  channel.channel = grpc::experimental::CreateCustomChannelWithInterceptors(
      target, credentials, arguments, LentInterceptors::Of(owned));
  grpc::Channel* const same = channel.channel.get();
  return {same, [channel = std::move(channel),
                 owned = std::move(owned)](grpc::Channel*) mutable {
            // Out of here: somebody's weak_ptr would keep them.
            GivenUpChannels::GivenUp given_up = std::move(channel);
            const auto interceptors = std::move(owned);
            if (!GivenUpChannels::IsNeeded(given_up)) return;
            interceptors->clear();
            GivenUpChannels::Instance().Keep(std::move(given_up));
          }};
}

}  // namespace goplugin::internal

#include "goplugin/internal/channel/held_channel.h"

#include <grpc/grpc.h>
#include <grpcpp/alarm.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/support/client_interceptor.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/channel/connecting_sockets.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/internal/versions/steady_condition.h"

namespace goplugin::internal {
namespace {

// A channel that was dropped.
struct GivenUp {
  std::shared_ptr<grpc::Channel> channel;
  // Null where it is not known.
  std::shared_ptr<ConnectingSockets> sockets;
  std::chrono::steady_clock::time_point until;

  // A call holds it, too.
  bool has_calls() const { return channel.use_count() > 1; }

  // Whether it must not be destroyed yet; ends its connections.
  bool IsNeeded() const {
    const grpc_connectivity_state state =
        channel->GetState(/*try_to_connect=*/false);
    if (sockets == nullptr) return state == GRPC_CHANNEL_CONNECTING;
    // After a failure it connects again, and says so no more.
    if (state != GRPC_CHANNEL_CONNECTING &&
        state != GRPC_CHANNEL_TRANSIENT_FAILURE) {
      return false;
    }
    // A call may wait for the connection.
    return has_calls() || sockets->ShutDown();
  }
};

// Channels that were given up while they connect: their sockets are shut down,
// and they are held until gRPC has closed those. It looks for that: to hear of
// it would take a thread. One for all, never destroyed; thread-safe.
class GivenUpChannels {
 public:
  static GivenUpChannels& Instance() {
    static auto* const instance = new GivenUpChannels;
    return *instance;
  }

  void Keep(GivenUp channel) {
    MutexLock lock(mutex_);
    channel.until = Clock::now() + kLongest;
    kept_.push_back(std::move(channel));
    pause_ = kFirstPause;
    if (!watched_) LookLater();
  }

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::milliseconds kFirstPause{10};
  static constexpr std::chrono::milliseconds kLongestPause{320};
  // gRPC notices within 5 s when no thread waits for the channel. Where the
  // sockets are not known: an attempt takes 20 s, and "localhost" is two.
  static constexpr std::chrono::seconds kLongest{60};
  // What the destruction of channels may take from an exit at most.
  static constexpr absl::Duration kExitTime = absl::Seconds(1);

  // OpenSSL is there when the first channel with TLS is given up, so that this
  // comes before its end: after that no such channel may be destroyed.
  GivenUpChannels() {
    std::atexit([] { Instance().KeepForEver(); });
  }

  void KeepForEver() {
    MutexLock lock(mutex_);
    exits_ = true;
    looked_.WaitFor(mutex_, kExitTime, [this] {
      mutex_.AssertReaderHeld();
      return !looks_;
    });
  }

  // On a thread of gRPC's.
  void Look() {
    std::vector<GivenUp> over = TakeOver();
    over.clear();  // without the lock
    MutexLock lock(mutex_);
    looks_ = false;
    looked_.NotifyAll();
    watched_ = false;
    if (!kept_.empty()) LookLater();
  }

  std::vector<GivenUp> TakeOver() {
    std::vector<GivenUp> over;
    MutexLock lock(mutex_);
    if (exits_) return over;
    looks_ = true;
    const Clock::time_point now = Clock::now();
    const auto first_over = std::partition(
        kept_.begin(), kept_.end(), [now](const GivenUp& channel) {
          return now < channel.until && channel.IsNeeded();
        });
    std::move(first_over, kept_.end(), std::back_inserter(over));
    kept_.erase(first_over, kept_.end());
    // gRPC connects again soon after the end of a socket. Who waits for that of
    // calls has time.
    pause_ =
        std::all_of(kept_.begin(), kept_.end(),
                    [](const GivenUp& channel) { return channel.has_calls(); })
            ? std::min(2 * pause_, kLongestPause)
            : kFirstPause;
    return over;
  }

  void LookLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (exits_) return;
    watched_ = true;
    // One that has gone off can't be set again.
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(std::chrono::system_clock::now() + pause_,
                [this](bool /*ok*/) { Look(); });
  }

  absl::Mutex mutex_;
  SteadyCondition looked_;
  std::vector<GivenUp> kept_ ABSL_GUARDED_BY(mutex_);
  std::chrono::milliseconds pause_ ABSL_GUARDED_BY(mutex_) = kFirstPause;
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
  // There is a look to come, or under way.
  bool watched_ ABSL_GUARDED_BY(mutex_) = false;
  // One is under way.
  bool looks_ ABSL_GUARDED_BY(mutex_) = false;
  bool exits_ ABSL_GUARDED_BY(mutex_) = false;
};

// In a forked child: gRPC's threads do not exist there, and to destroy a
// channel amid its handshake would end the parent's connection. Kept reachable,
// so that leak checkers see that it is meant.
void Abandon(GivenUp channel) {
  static auto* const abandoned = new std::vector<GivenUp>;
  abandoned->push_back(std::move(channel));
}

// Interceptors that end when their channel is given up, on the thread that does
// so: they are the user's, and gRPC's threads are everybody's. Where calls go
// on that may need them, they end with the channel.
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
  GivenUp channel;
  channel.sockets = ConnectingSockets::Watch(arguments);
  channel.channel = grpc::experimental::CreateCustomChannelWithInterceptors(
      target, credentials, arguments, LentInterceptors::Of(owned));
  grpc::Channel* const same = channel.channel.get();
  return {same, [channel = std::move(channel), owned = std::move(owned),
                 owner = getpid()](grpc::Channel*) mutable {
            // Out of here: somebody's weak_ptr would keep them.
            GivenUp given_up = std::move(channel);
            const auto interceptors = std::move(owned);
            const bool forked = owner != getpid();
            if (!forked && !given_up.IsNeeded()) return;
            // Those of calls may refer to them.
            if (!given_up.has_calls()) interceptors->clear();
            if (forked) return Abandon(std::move(given_up));
            GivenUpChannels::Instance().Keep(std::move(given_up));
          }};
}

}  // namespace goplugin::internal

#include "goplugin/internal/channel/channel.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grpc/grpc.h>
#include <grpcpp/alarm.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/version_info.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/channel/handed_interceptor.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/text/hex.h"
#include "goplugin/internal/versions/mutex_lock.h"

// In gRPC before 1.70, and in no header of its public ones, though
// ChannelArguments takes such a thing: what is told of each socket before it
// connects. Weak, for a gRPC that has it no more.
// NOLINTBEGIN(readability-identifier-naming)
struct grpc_socket_mutator_vtable {
  bool (*mutate_fd)(int fd, grpc_socket_mutator* mutator);
  int (*compare)(grpc_socket_mutator* a, grpc_socket_mutator* b);
  void (*destroy)(grpc_socket_mutator* mutator);
  bool (*mutate_fd_2)(const void* info, grpc_socket_mutator* mutator);
};
__attribute__((weak)) void grpc_socket_mutator_init(
    grpc_socket_mutator* mutator, const grpc_socket_mutator_vtable* vtable);
// NOLINTEND(readability-identifier-naming)

namespace goplugin::internal {
namespace {

struct IntegerArgument {
  const char* name;
  int value;
};

constexpr int kMiB = 1024 * 1024;

// Each of these is here because of something that went wrong without it.
constexpr IntegerArgument kArguments[] = {
    // The host's http_proxy must not come between host and plugin.
    {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
    // A global pool makes a restarted plugin at the same address wait out the
    // backoff of its predecessor.
    {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1},
    // Go's limit: a long Go error travels in a header, and with gRPC's own 8
    // KiB
    // arrives as a bare reset.
    {GRPC_ARG_MAX_METADATA_SIZE, 16 * kMiB},
    // Messages of any size: plugins answer with megabytes.
    {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, -1},
    {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1},
    // A listener that comes up a moment after the line is reached at once, not
    // after the default second.
    {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20},
    {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500},
    // An idle channel would drop a connection that some plugins accept only
    // once.
    {GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT_MAX},
    // The retry filter costs every small call, and a plugin that is gone is not
    // coming back at this address.
    {GRPC_ARG_ENABLE_RETRIES, 0},
};

// Abstract names begin with a zero, as the kernel has them.
constexpr absl::string_view kAbstract("\0", 1);

// Characters that end a URI's path or begin an escape in it.
bool MustEscape(char c) {
  return c == '%' || c == '#' || c == '?' || !absl::ascii_isgraph(c);
}

std::string PercentEncode(absl::string_view path) {
  std::string encoded;
  for (const char c : path) {
    if (MustEscape(c)) {
      absl::StrAppendFormat(&encoded, "%%%02X", static_cast<unsigned char>(c));
    } else {
      encoded.push_back(c);
    }
  }
  return encoded;
}

std::string PercentDecode(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() &&
                        absl::ascii_isxdigit(text[i + 1]) &&
                        absl::ascii_isxdigit(text[i + 2]);
    if (escape) {
      decoded += DecodeHex(text.substr(i + 1, 2));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

bool IsIpv4(const std::string& host) {
  in_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool HasArgument(const grpc_channel_args& arguments, absl::string_view name) {
  for (size_t i = 0; i < arguments.num_args; ++i) {
    if (name == arguments.args[i].key) return true;
  }
  return false;
}

// ---- A channel that goes while it connects ----------------------------------

// Whether gRPC forgets a connection whose first answer comes after its channel
// has gone, and never closes it. It does on 1.51, and not on 1.83.
constexpr bool kLosesLateConnections =
    GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR < 70;

// The sockets with which a channel connects. Thread-safe.
class ConnectingSockets {
 public:
  // Of the channel that is made with the arguments. Null where gRPC does not
  // tell, or the caller has a socket mutator of his own.
  static std::shared_ptr<ConnectingSockets> Watch(
      grpc::ChannelArguments& arguments) {
    grpc_channel_args given;
    arguments.SetChannelArgs(&given);
    if (grpc_socket_mutator_init == nullptr ||
        HasArgument(given, GRPC_ARG_SOCKET_MUTATOR)) {
      return nullptr;
    }
    auto sockets = std::make_shared<ConnectingSockets>();
    arguments.SetSocketMutator(MakeMutator(sockets));
    return sockets;
  }

  // Ends the connections that gRPC has not closed yet, whatever has come on
  // them. Returns whether there are any. Not in a forked child: they are the
  // parent's as well.
  bool ShutDown() {
    if (getpid() != owner_) return false;
    MutexLock lock(mutex_);
    sockets_.erase(
        std::remove_if(sockets_.begin(), sockets_.end(),
                       [](const Socket& open) { return !EndSocket(open); }),
        sockets_.end());
    return !sockets_.empty();
  }

 private:
  // gRPC closes them when it likes, and a descriptor's number is used again.
  struct Socket {
    int fd;
    dev_t device;
    ino_t inode;
  };

  // What gRPC takes for a socket mutator begins with its own part.
  struct Mutator {
    alignas(std::max_align_t) unsigned char grpcs[128] = {};
    std::shared_ptr<ConnectingSockets> sockets;
  };

  static grpc_socket_mutator* MakeMutator(
      std::shared_ptr<ConnectingSockets> sockets) {
    static const grpc_socket_mutator_vtable vtable = {
        [](int fd, grpc_socket_mutator* mutator) {
          reinterpret_cast<Mutator*>(mutator)->sockets->Add(fd);
          return true;
        },
        [](grpc_socket_mutator* a, grpc_socket_mutator* b) {
          const std::less<grpc_socket_mutator*> less;
          return less(a, b) ? -1 : less(b, a) ? 1 : 0;
        },
        [](grpc_socket_mutator* mutator) {
          delete reinterpret_cast<Mutator*>(mutator);
        },
        nullptr};
    auto* const made = new Mutator;
    made->sockets = std::move(sockets);
    auto* const mutator = reinterpret_cast<grpc_socket_mutator*>(made);
    grpc_socket_mutator_init(mutator, &vtable);
    return mutator;
  }

  static bool IsStill(const Socket& socket, int fd) {
    struct stat file = {};
    return fstat(fd, &file) == 0 && file.st_dev == socket.device &&
           file.st_ino == socket.inode;
  }

  // False where gRPC has closed it.
  static bool EndSocket(const Socket& socket) {
    // Of its own: that number may become another's between two calls.
    const UniqueFd own(fcntl(socket.fd, F_DUPFD_CLOEXEC, 0));
    if (!own.valid()) return errno != EBADF && IsStill(socket, socket.fd);
    if (!IsStill(socket, own.get())) return false;
    shutdown(own.get(), SHUT_RDWR);
    // gRPC would still read what is there already.
    char bytes[4096];
    while (recv(own.get(), bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
    }
    return true;
  }

  void Add(int fd) {
    struct stat file = {};
    if (fstat(fd, &file) != 0) return;
    MutexLock lock(mutex_);
    sockets_.erase(std::remove_if(sockets_.begin(), sockets_.end(),
                                  [](const Socket& socket) {
                                    return !IsStill(socket, socket.fd);
                                  }),
                   sockets_.end());
    sockets_.push_back({fd, file.st_dev, file.st_ino});
  }

  const pid_t owner_ = getpid();
  absl::Mutex mutex_;
  std::vector<Socket> sockets_ ABSL_GUARDED_BY(mutex_);
};

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
  };

  static GivenUpChannels& Instance() {
    static auto* const instance = new GivenUpChannels;
    return *instance;
  }

  // Whether `channel` must not be destroyed yet; ends its connections.
  static bool IsNeeded(const GivenUp& channel) {
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

// Of a channel that ends no sooner than gRPC can be left to it.
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

}  // namespace

std::string ChannelTarget(const Endpoint& endpoint) {
  const std::string& address = endpoint.address;
  if (endpoint.network == Endpoint::Network::kUnix) {
    return absl::StartsWith(address, kAbstract)
               ? absl::StrCat("unix-abstract:",
                              PercentEncode(address.substr(kAbstract.size())))
               : absl::StrCat("unix:", PercentEncode(address));
  }
  if (absl::StartsWith(address, "[")) {
    return absl::StrCat("ipv6:", PercentEncode(address));
  }
  const size_t colon = address.rfind(':');
  const std::string host = address.substr(0, colon);
  if (host == "localhost") {
    // Both loopback addresses, without a resolver: containers have none, and
    // some resolvers ask a name server.
    const std::string port = address.substr(colon);
    return absl::StrCat("ipv6:[::ffff:127.0.0.1]", port, ",[::1]", port);
  }
  return absl::StrCat(IsIpv4(host) ? "ipv4:" : "dns:///", address);
}

absl::optional<Endpoint> EndpointOfTarget(const std::string& target) {
  absl::string_view rest = target;
  if (absl::ConsumePrefix(&rest, "unix:")) {
    // "unix:///a" and "unix:/a" are one path.
    absl::ConsumePrefix(&rest, "//");
    return Endpoint{Endpoint::Network::kUnix, PercentDecode(rest)};
  }
  if (absl::ConsumePrefix(&rest, "unix-abstract:")) {
    return Endpoint{Endpoint::Network::kUnix,
                    absl::StrCat(kAbstract, PercentDecode(rest))};
  }
  // The one name that needs no name service.
  const bool local = absl::StartsWith(rest, "dns:///localhost:") &&
                     absl::ConsumePrefix(&rest, "dns:///");
  if (!local && !absl::ConsumePrefix(&rest, "ipv4:") &&
      !absl::ConsumePrefix(&rest, "ipv6:")) {
    return absl::nullopt;
  }
  if (absl::StrContains(rest, ',')) return absl::nullopt;
  return Endpoint{Endpoint::Network::kTcp, PercentDecode(rest)};
}

grpc::ChannelArguments MergeChannelArguments(
    const grpc::ChannelArguments& callers) {
  grpc::ChannelArguments merged = callers;
  grpc_channel_args given;
  callers.SetChannelArgs(&given);
  for (const IntegerArgument& argument : kArguments) {
    if (!HasArgument(given, argument.name)) {
      merged.SetInt(argument.name, argument.value);
    }
  }
  return merged;
}

grpc::ChannelArguments MergeChannelArguments(
    const grpc::ChannelArguments& callers, const std::string& server_name) {
  grpc::ChannelArguments merged = MergeChannelArguments(callers);
  grpc_channel_args given;
  callers.SetChannelArgs(&given);
  if (!server_name.empty() &&
      !HasArgument(given, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG)) {
    merged.SetSslTargetNameOverride(server_name);
  }
  if (!HasArgument(given, GRPC_ARG_DEFAULT_AUTHORITY)) {
    // gRPC would send the escaped socket path, which Go servers refuse.
    merged.SetString(GRPC_ARG_DEFAULT_AUTHORITY,
                     server_name.empty() ? "localhost" : server_name);
  }
  return merged;
}

void KeepAlive(std::shared_ptr<const void> kept,
               grpc::ChannelArguments& arguments) {
  using Kept = std::shared_ptr<const void>;
  static const grpc_arg_pointer_vtable vtable = {
      [](void* kept) -> void* { return new Kept(*static_cast<Kept*>(kept)); },
      [](void* kept) { delete static_cast<Kept*>(kept); },
      [](void* a, void* b) {
        const std::less<const void*> less;
        const void* const left = static_cast<Kept*>(a)->get();
        const void* const right = static_cast<Kept*>(b)->get();
        return less(left, right) ? -1 : less(right, left) ? 1 : 0;
      }};
  arguments.SetPointerWithVtable("goplugin.kept", &kept, &vtable);
}

std::shared_ptr<grpc::Channel> CreatePluginChannel(
    const std::string& target,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    const grpc::ChannelArguments& arguments,
    InterceptorFactories interceptors) {
  ShutDownChannel();  // keeps gRPC running
  // For calls that a passing channel has passed here; others have none of it.
  interceptors.push_back(HandedInterceptorFactory());
  if (kLosesLateConnections) {
    return CreateHeldChannel(target, credentials, arguments,
                             std::move(interceptors));
  }
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      target, credentials, arguments, std::move(interceptors));
}

const std::shared_ptr<grpc::Channel>& ShutDownChannel() {
  // It connects only when a call is made, and then finds nothing. Never
  // destroyed: the last user of gRPC to go would wait for its executor thread,
  // which may sit in a poll of 10 s, and the next one would start gRPC's event
  // engine with its threads anew.
  static const auto* channel = new std::shared_ptr<grpc::Channel>(
      grpc::CreateChannel("unix:/nonexistent/plugin-is-shut-down",
                          grpc::InsecureChannelCredentials()));
  return *channel;
}

}  // namespace goplugin::internal

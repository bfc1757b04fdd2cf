#include "goplugin/internal/channel/channel.h"

#include <arpa/inet.h>
#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <netinet/in.h>

#include <climits>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/channel/handed_interceptor.h"
#include "goplugin/internal/channel/held_channel.h"
#include "goplugin/internal/endpoint/use_endpoints.h"
#include "goplugin/internal/text/hex.h"

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
  grpc::ChannelArguments all = arguments;
  UseEndpoints(all);
  if (kLosesLateConnections) {
    return CreateHeldChannel(target, credentials, all, std::move(interceptors));
  }
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      target, credentials, all, std::move(interceptors));
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

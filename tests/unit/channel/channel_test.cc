#include "goplugin/internal/channel/channel.h"

#include <grpc/grpc.h>
#include <grpcpp/support/channel_arguments.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "goplugin/endpoint.h"

namespace goplugin::internal {
namespace {

Endpoint Unix(const std::string& path) {
  return {Endpoint::Network::kUnix, path};
}
Endpoint Tcp(const std::string& address) {
  return {Endpoint::Network::kTcp, address};
}

TEST(ChannelTargetTest, NamesTheEndpoint) {
  EXPECT_EQ(ChannelTarget(Unix("/run/kv.sock")), "unix:/run/kv.sock");
  EXPECT_EQ(ChannelTarget(Unix("/run/a b#c?d%e")),
            "unix:/run/a%20b%23c%3Fd%25e");
  EXPECT_EQ(ChannelTarget(Tcp("127.0.0.1:10000")), "ipv4:127.0.0.1:10000");
  EXPECT_EQ(ChannelTarget(Tcp("[::1]:10000")), "ipv6:[::1]:10000");
  EXPECT_EQ(ChannelTarget(Tcp("localhost:10000")),
            "ipv6:[::ffff:127.0.0.1]:10000,[::1]:10000");
}

TEST(EndpointOfTargetTest, KnowsWhatNeedsNoNameService) {
  const auto address = [](const std::string& target) {
    const absl::optional<Endpoint> endpoint = EndpointOfTarget(target);
    return endpoint.has_value() ? endpoint->address : "none";
  };
  EXPECT_EQ(address("unix:/run/a%20b"), "/run/a b");
  EXPECT_EQ(address("unix:///run/kv"), "/run/kv");
  EXPECT_EQ(address("unix-abstract:kv%20"), std::string("\0kv ", 4));
  EXPECT_EQ(address("ipv4:127.0.0.1:80"), "127.0.0.1:80");
  EXPECT_EQ(address("ipv6:%5B::1%5D:80"), "[::1]:80");
  EXPECT_EQ(address("dns:///localhost:80"), "localhost:80");
  EXPECT_EQ(address("dns:///localhost.example.org:80"), "none");
  EXPECT_EQ(address("ipv4:127.0.0.1:80,127.0.0.2:80"), "none");
}

// The arguments by name; numbers as text.
std::map<std::string, std::string> Read(const grpc::ChannelArguments& from) {
  grpc_channel_args arguments;
  from.SetChannelArgs(&arguments);
  std::map<std::string, std::string> read;
  for (size_t i = 0; i < arguments.num_args; ++i) {
    const grpc_arg& argument = arguments.args[i];
    EXPECT_EQ(read.count(argument.key), 0u) << "twice: " << argument.key;
    read[argument.key] = argument.type == GRPC_ARG_INTEGER
                             ? std::to_string(argument.value.integer)
                             : argument.value.string;
  }
  return read;
}

TEST(MergeChannelArgumentsTest, SetsWhatEveryPluginNeeds) {
  const auto merged = Read(MergeChannelArguments({}, ""));
  EXPECT_EQ(merged.at(GRPC_ARG_ENABLE_HTTP_PROXY), "0");
  EXPECT_EQ(merged.at(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL), "1");
  EXPECT_EQ(merged.at(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH), "-1");
  EXPECT_EQ(merged.at(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH), "-1");
  EXPECT_EQ(merged.at(GRPC_ARG_MAX_METADATA_SIZE), "16777216");
  EXPECT_EQ(merged.at(GRPC_ARG_DEFAULT_AUTHORITY), "localhost");
  EXPECT_EQ(merged.count(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG), 0u);
}

TEST(MergeChannelArgumentsTest, TheNameIsForTls) {
  const auto merged = Read(MergeChannelArguments({}, "plugin.example.com"));
  EXPECT_EQ(merged.at(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG), "plugin.example.com");
  EXPECT_EQ(merged.at(GRPC_ARG_DEFAULT_AUTHORITY), "plugin.example.com");
}

TEST(MergeChannelArgumentsTest, TheCallersWin) {
  grpc::ChannelArguments callers;
  callers.SetMaxReceiveMessageSize(1000);
  callers.SetString("mine", "too");
  const auto merged = Read(MergeChannelArguments(callers, ""));
  EXPECT_EQ(merged.at(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH), "1000");
  EXPECT_EQ(merged.at("mine"), "too");
}

}  // namespace
}  // namespace goplugin::internal

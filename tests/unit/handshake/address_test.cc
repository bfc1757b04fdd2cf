#include "goplugin/internal/handshake/address.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;

Endpoint Unix(std::string path) {
  return {Endpoint::Network::kUnix, std::move(path)};
}
Endpoint Tcp(std::string address) {
  return {Endpoint::Network::kTcp, std::move(address)};
}

TEST(CheckAddressTest, GoodOnes) {
  for (const Endpoint& endpoint :
       {Unix("/tmp/plugin.sock"), Unix("relative.sock"),
        Unix("/a b/#?%\xc3\xa9"), Unix(std::string("\0kv", 3)),
        Unix(std::string(107, 'x')), Tcp("127.0.0.1:1"), Tcp("[::]:65535"),
        Tcp("[fe80::1%eth0]:80"), Tcp("localhost:10000"),
        Tcp("my_host.example-domain:80"), Tcp("0.0.0.0:0080")}) {
    const auto problem = CheckAddress(endpoint);
    EXPECT_FALSE(problem.has_value())
        << endpoint.address << ": " << problem->what;
  }
}

TEST(CheckAddressTest, BadOnes) {
  const struct {
    Endpoint endpoint;
    const char* what;
  } kCases[] = {
      {Unix(""), "empty"},
      {Tcp(""), "empty"},
      {Unix(std::string(108, 'x')), "108 bytes"},
      {Unix(std::string("/tmp/a\0b", 8)), "NUL"},
      {Unix(std::string("\0a\0b", 4)), "NUL"},
      {Unix(std::string(1, '\0')), "no name"},
      {Tcp("localhost"), "no port"},
      {Tcp("/tmp/plugin.sock"), "no port"},
      {Tcp(":1234"), "host:port"},
      {Tcp("::1:1234"), "host:port"},
      {Tcp("[]:1234"), "host:port"},
      {Tcp("[127.0.0.1]:1234"), "host:port"},
      {Tcp("[::1:1234"), "host:port"},
      {Tcp("a b:1234"), "host:port"},
      {Tcp("user@host:1234"), "host:port"},
      {Tcp("host/path:1234"), "host:port"},
      {Tcp("127.0.0.1:"), "1..65535"},
      {Tcp("127.0.0.1:0"), "1..65535"},
      {Tcp("127.0.0.1:65536"), "1..65535"},
      {Tcp("127.0.0.1:99999999999"), "1..65535"},
      {Tcp("127.0.0.1:+80"), "1..65535"},
      {Tcp("127.0.0.1:http"), "1..65535"},
      {Tcp("127.0.0.1:80 "), "1..65535"},
  };
  for (const auto& c : kCases) {
    const auto problem = CheckAddress(c.endpoint);
    ASSERT_TRUE(problem.has_value()) << c.endpoint.address;
    EXPECT_THAT(problem->what, HasSubstr(c.what)) << c.endpoint.address;
    EXPECT_FALSE(problem->hint.empty());
  }
}

}  // namespace
}  // namespace goplugin::internal

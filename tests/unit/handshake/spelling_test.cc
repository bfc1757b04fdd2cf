#include "goplugin/internal/handshake/spelling.h"

#include <string>

#include "goplugin/internal/handshake/address.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

Endpoint Unix(std::string path) {
  return {Endpoint::Network::kUnix, std::move(path)};
}
Endpoint Tcp(std::string address) {
  return {Endpoint::Network::kTcp, std::move(address)};
}

std::string Abstract(const std::string& name) {
  return std::string(1, '\0') + name;
}

// The table of spellings: who prints it, and what it means.
TEST(CanonicalTest, KnowsTheSpellingsOfEachLanguage) {
  const struct {
    const char* who;
    Endpoint spelled;
    std::string want;
  } kCases[] = {
      {"a path", Unix("/run/kv.sock"), "/run/kv.sock"},
      {"a path with marks", Unix("/run/a b:c@d"), "/run/a b:c@d"},
      {"Python and Node with gRPC", Unix("unix:/run/kv"), "/run/kv"},
      {"gRPC, as a URI", Unix("unix:///run/kv"), "/run/kv"},
      {"Kestrel", Unix("http://unix:/run/kv"), "/run/kv"},
      {"twice", Unix("unix:unix:///run/kv"), "/run/kv"},
      {"a relative path", Unix("unix:kv.sock"), "kv.sock"},
      {"Go, .NET, Java: abstract", Unix("@kv"), Abstract("kv")},
      {"Python: abstract", Unix(Abstract("kv")), Abstract("kv")},
      {"gRPC: abstract", Unix("unix-abstract:kv"), Abstract("kv")},
      {"abstract behind a scheme", Unix("unix:@kv"), Abstract("kv")},
      {"abstract names may look like anything", Unix("@unix:/kv"),
       Abstract("unix:/kv")},

      {"Go", Tcp("127.0.0.1:80"), "127.0.0.1:80"},
      {"Go", Tcp("[::]:80"), "[::]:80"},
      {"Go: all addresses", Tcp(":80"), "localhost:80"},
      {"a server at all addresses", Tcp("*:80"), "localhost:80"},
      {"Python, Node: without brackets", Tcp("::1:80"), "[::1]:80"},
      {"Python: mapped", Tcp("::ffff:127.0.0.1:80"), "[::ffff:127.0.0.1]:80"},
      {"gRPC's peer", Tcp("ipv4:127.0.0.1:80"), "127.0.0.1:80"},
      {"gRPC's peer", Tcp("ipv6:%5B::1%5D:80"), "[::1]:80"},
      {"gRPC's target", Tcp("ipv6:[::1]:80"), "[::1]:80"},
      {"gRPC's target", Tcp("dns:///localhost:80"), "localhost:80"},
      {"Java: an address", Tcp("/127.0.0.1:80"), "127.0.0.1:80"},
      {"Java: with a name", Tcp("localhost/127.0.0.1:80"), "127.0.0.1:80"},
      {"Java: IPv6", Tcp("/[0:0:0:0:0:0:0:1]:80"), "[0:0:0:0:0:0:0:1]:80"},
      {"Java before 14", Tcp("/0:0:0:0:0:0:0:1:80"), "[0:0:0:0:0:0:0:1]:80"},
      {"Java: the zone of a loopback", Tcp("/[0:0:0:0:0:0:0:1%lo]:80"),
       "[0:0:0:0:0:0:0:1]:80"},
      {"Java: not looked up", Tcp("localhost/<unresolved>:80"), "localhost:80"},
      {"Kestrel", Tcp("http://127.0.0.1:80"), "127.0.0.1:80"},
      {"Kestrel", Tcp("https://[::1]:80/"), "[::1]:80"},
      {"Kestrel: all addresses", Tcp("http://+:80"), "localhost:80"},
      {"a URI", Tcp("tcp://localhost:80"), "localhost:80"},
      {"Docker", Tcp("tcp:127.0.0.1:80"), "127.0.0.1:80"},
      {"a zone", Tcp("[::1%1]:80"), "[::1]:80"},
      {"a zone in a URI", Tcp("[fe80::1%25eth0]:80"), "[fe80::1%eth0]:80"},
      {"a zone without brackets", Tcp("fe80::1%eth0:80"), "[fe80::1%eth0]:80"},
      {"a name for the loopback", Tcp("LocalHost.:80"), "localhost:80"},
      {"a name for the loopback", Tcp("ip6-localhost:80"), "localhost:80"},
      {"a name for the loopback", Tcp("localhost.localdomain:80"),
       "localhost:80"},
      {"a name for the loopback", Tcp("kv.localhost:80"), "localhost:80"},
      {"another name", Tcp("kv.example:80"), "kv.example:80"},
      {"a host called tcp", Tcp("tcp:80"), "tcp:80"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(std::string(c.who) + ": " + c.spelled.ToString());
    const Endpoint endpoint = Canonical(c.spelled);
    EXPECT_EQ(endpoint.address, c.want);
    EXPECT_EQ(endpoint.network, c.spelled.network);
    EXPECT_EQ(Canonical(endpoint), endpoint);
    EXPECT_FALSE(CheckAddress(endpoint).has_value());
  }
}

TEST(CanonicalTest, LeavesWhatItDoesNotKnowToTheCheck) {
  for (const Endpoint& endpoint :
       {Unix(""), Tcp(""), Tcp("localhost"), Tcp("/tmp/plugin.sock"),
        Tcp("[127.0.0.1]:80"), Tcp("user@host:80"), Tcp("host/path:x"),
        Tcp("127.0.0.1:http"), Tcp("[::1:80"), Tcp("('127.0.0.1', 80)"),
        Tcp("{\"port\":80}"), Unix("@"), Unix(std::string(2000, '/'))}) {
    EXPECT_TRUE(CheckAddress(Canonical(endpoint)).has_value())
        << endpoint.address;
  }
}

TEST(GoSpellingTest, AbstractNamesBeginWithAnAt) {
  EXPECT_EQ(GoSpelling(Unix(Abstract("kv"))), "@kv");
  EXPECT_EQ(GoSpelling(Unix("/run/kv")), "/run/kv");
  EXPECT_EQ(GoSpelling(Tcp("[::1]:80")), "[::1]:80");
  EXPECT_EQ(Canonical(Unix(GoSpelling(Unix(Abstract("@kv"))))).address,
            Abstract("@kv"));
}

}  // namespace
}  // namespace goplugin::internal

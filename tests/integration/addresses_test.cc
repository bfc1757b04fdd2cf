// Plugins that spell their address as one language or another does: each is
// connected to, or refused at once. The table of spellings has its unit test;
// here are those that have a way of their own to the socket.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

struct Spelling {
  const char* network;
  // In the line's place of the address.
  const char* address;
};

Command Spelled(const Spelling& spelling) {
  return ServerPlugin({absl::StrCat("--network=", spelling.network),
                       absl::StrCat("--line={core}|{app}|{network}|",
                                    spelling.address, "|grpc|{cert}\\n")});
}

class AddressesTest : public HarnessTest {};

TEST_F(AddressesTest, AreConnectedTo) {
  for (const Spelling& spelling : std::vector<Spelling>{
           {"unix", "{address}"},
           {"unix", "unix:{address}"},
           {"unix", "unix://{address}"},
           {"unix", "http://unix:{address}"},
           {"abstract", "@{name}"},
           {"abstract", "\\0{name}"},
           {"abstract", "unix-abstract:{name}"},
           {"abstract", "unix:@{name}"},
           {"tcp", "127.0.0.1:{port}"},
           {"tcp", "localhost:{port}"},
           {"tcp", "LOCALHOST.:{port}"},
           {"tcp", ":{port}"},
           {"tcp", "*:{port}"},
           {"tcp", "0.0.0.0:{port}"},
           {"tcp", "localhost/127.0.0.1:{port}"},
           {"tcp", "http://127.0.0.1:{port}"},
           {"tcp", "[::ffff:127.0.0.1]:{port}"},
           {"tcp6", "[::1]:{port}"},
           {"tcp6", "::1:{port}"},
           {"tcp6", "localhost:{port}"},
           {"tcp6", "[::1%lo]:{port}"},
           {"tcp6", "[::1%25lo]:{port}"},
           {"tcp6", "/[0:0:0:0:0:0:0:1]:{port}"},
       }) {
    for (const TlsMode tls : {TlsMode::kInsecure, TlsMode::kAutoMtls}) {
      SCOPED_TRACE(absl::StrCat(spelling.network, " ", spelling.address, " ",
                                static_cast<int>(tls)));
      ClientOptions options = KvOptions();
      options.tls.mode = tls;
      const absl::Time start = absl::Now();
      std::unique_ptr<Client> client = MustLaunch(Spelled(spelling), options);
      if (client == nullptr) continue;
      EXPECT_TRUE(Answers(*client));
      EXPECT_TRUE(client->Shutdown().ok());
      EXPECT_LT(absl::Now() - start, kGrace);
    }
  }
}

TEST_F(AddressesTest, AreRefusedAtOnce) {
  const struct {
    Spelling spelling;
    const char *evidence, *hint;
  } kCases[] = {
      {{"unix", "plugin.sock"}, "relative", "absolute path"},
      {{"unix", "unix:plugin.sock"}, "relative", "absolute path"},
      {{"unix", "127.0.0.1:80"}, "relative", "absolute path"},
      {{"unix", "@"}, "no name", "with an @ in front"},
      {{"tcp", "{port}"}, "no port", "127.0.0.1:10000"},
      {{"tcp", "('127.0.0.1', {port})"}, "no port", "127.0.0.1:10000"},
      {{"tcp", "kv.invalid:{port}"}, "not a loopback", "allow_remote_tcp"},
      {{"tcp", "[fe80::1%lo]:{port}"}, "not a loopback", "allow_remote_tcp"},
      {{"tcp", "kv/192.0.2.1:{port}"}, "not a loopback", "allow_remote_tcp"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.spelling.address);
    const absl::Time start = absl::Now();
    // An odd line may be followed by a better one: it has a second to come.
    ExpectError(Client::Launch(Spelled(c.spelling), PlainOptions()).status(),
                {Reason::kTransport, c.evidence, c.hint});
    EXPECT_LT(absl::Now() - start, absl::Seconds(1) + kGrace);
  }
}

// What one host writes down, another finds again.
TEST_F(AddressesTest, AnAbstractSocketIsFoundAgain) {
  std::unique_ptr<Client> client = MustLaunch(Spelled({"abstract", "@{name}"}));
  ASSERT_NE(client, nullptr);
  const absl::StatusOr<ReattachConfig> config = client->reattach_config();
  ASSERT_TRUE(config.ok()) << config.status();
  const absl::StatusOr<std::string> text =
      FormatReattachProviders({{"kv", *config}});
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_NE(text->find("\"@server_plugin."), std::string::npos) << *text;
  const absl::StatusOr<ReattachProviders> read = ParseReattachProviders(*text);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->at("kv").endpoint, config->endpoint);
  absl::StatusOr<std::unique_ptr<Client>> again =
      Client::Reattach(read->at("kv"), PlainOptions());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(Get(**again, "!pid").empty());
  EXPECT_TRUE((*again)->Shutdown().ok());
}

}  // namespace
}  // namespace goplugin::testing

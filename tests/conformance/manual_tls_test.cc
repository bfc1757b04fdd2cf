// Certificates of the caller's own in place of AutoMTLS: go-plugin's TLSConfig
// and TLSProvider with this SDK's TlsMode::kManual and ServeOptions.

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "goplugin/client.h"
#include "goplugin/internal/tls/certificate.h"
#include "tests/conformance/peers.h"
#include "tests/conformance/run_host.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/plugins.h"
#include "tests/unit/tls/test_certificates.h"

namespace goplugin::testing {
namespace {

using internal::KeyPair;

// An authority and a certificate that it signed, for both sides.
class Identity {
 public:
  Identity() {
    internal::CertificateSpec spec;
    // Each has a name of its own.
    spec.common_name = absl::StrCat("authority ", ++made_);
    authority = internal::MakeCertificate(spec);
    spec.common_name = "localhost";
    spec.basic_constraints = "critical,CA:FALSE";
    spec.issuer = &authority;
    leaf = internal::MakeCertificate(spec);
  }

  KeyPair authority;
  KeyPair leaf;

 private:
  inline static int made_ = 0;
};

ClientOptions OptionsOf(const Identity& identity) {
  ClientOptions options = KvOptionsWith(TlsMode::kManual);
  options.tls.root_certificates = identity.authority.certificate_pem;
  options.tls.certificate_chain = identity.leaf.certificate_pem;
  options.tls.private_key = identity.leaf.private_key_pem;
  return options;
}

class ManualTlsTest : public PeersTest {
 protected:
  ManualTlsTest() : PeersTest({"kv", "host"}) {}

  // The identity in files, as flags: Go's as "-tls-roots", ours as
  // "--tls_roots".
  std::vector<std::string> Flags(const Identity& identity,
                                 const std::string& start) {
    return {Flag(start, "roots", identity.authority.certificate_pem),
            Flag(start, "cert", identity.leaf.certificate_pem),
            Flag(start, "key", identity.leaf.private_key_pem)};
  }

  Command GoPlugin() { return Peer("kv", Flags(ours_, "-tls-")); }

  Command OurPlugin() {
    Command command{RunfilePath("tests/conformance/serve_plugin")};
    command.args = Flags(ours_, "--tls_");
    return command;
  }

  // A stock Go host with our plugin.
  HostReport DriveByGo(std::vector<std::string> flags) {
    const Command plugin = OurPlugin();
    std::vector<std::string> argv = {PeerPath("host")};
    argv.insert(argv.end(), flags.begin(), flags.end());
    for (const char* word : {"-put", "a=b", "-get", "a", "-ping"}) {
      argv.emplace_back(word);
    }
    argv.push_back(plugin.path);
    argv.insert(argv.end(), plugin.args.begin(), plugin.args.end());
    return HostReport(
        RunHost({std::move(argv), data(), {}, ScratchPath("output")}).output);
  }

  const Identity ours_;

 private:
  std::string Flag(const std::string& start, const std::string& name,
                   const std::string& pem) {
    const std::string path = ScratchPath(
        absl::StrCat(start == "-tls-" ? "go_" : "cc_", ++files_, name));
    std::ofstream(path) << pem;
    return absl::StrCat(start, name, "=", path);
  }

  int files_ = 0;
};

TEST_F(ManualTlsTest, OurHostWithAGoPlugin) {
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(GoPlugin(), OptionsOf(ours_));
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_TRUE((*client)->uses_tls());
  ExpectFullWalk(**client, "Written from conformance kv");
}

TEST_F(ManualTlsTest, OurHostWithOurPlugin) {
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(OurPlugin(), OptionsOf(ours_));
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_TRUE((*client)->uses_tls());
  ExpectFullWalk(**client, "from version 1");
}

TEST_F(ManualTlsTest, AGoHostWithOurPlugin) {
  const HostReport report = DriveByGo(Flags(ours_, "-tls-"));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
  EXPECT_EQ(report.Text("/steps/1/value"), "b from version 1");
  EXPECT_EQ(report.Text("/steps/2/error"), "");
}

TEST_F(ManualTlsTest, APluginOfAnotherAuthorityIsRefused) {
  const Identity stranger;
  for (const Command& plugin : {GoPlugin(), OurPlugin()}) {
    ExpectError(Client::Launch(plugin, OptionsOf(stranger)).status(),
                {Reason::kServerCertificate, "could not be verified",
                 "tls.root_certificates"});
  }
}

TEST_F(ManualTlsTest, WithoutTlsTheHintNamesTheMode) {
  for (const Command& plugin : {GoPlugin(), OurPlugin()}) {
    ExpectError(
        Client::Launch(plugin, KvOptionsWith(TlsMode::kInsecure)).status(),
        {Reason::kTls, "TLS", "kManual"});
  }
}

TEST_F(ManualTlsTest, AGoHostOfAnotherAuthorityIsRefused) {
  const Identity stranger;
  const HostReport report = DriveByGo(Flags(stranger, "-tls-"));
  EXPECT_FALSE(report.Flag("/ok"));
  EXPECT_TRUE(absl::StrContains(report.Text("/steps/0/error"), "Unavailable"))
      << report.Text("/steps/0/error");
  RemoveWhatTheHostLeft(temp());
}

}  // namespace
}  // namespace goplugin::testing

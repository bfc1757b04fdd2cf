// go-plugin's own Python example: five fields, no TLS, no Shutdown, and always
// 127.0.0.1:1234, so nothing else may run beside it.

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/conformance/peers.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using Launched = absl::StatusOr<std::unique_ptr<Client>>;

class HashicorpPythonTest : public PeersTest {
 protected:
  HashicorpPythonTest() : PeersTest({"hashicorp-plugin-python"}) {}

  // Works, and ends by SIGTERM for want of a Shutdown method.
  void Walk(TlsMode mode) {
    Launched client = Client::Launch(Peer("hashicorp-plugin-python", {}),
                                     KvOptionsWith(mode));
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_FALSE((*client)->uses_tls());
    EXPECT_EQ((*client)->endpoint().ToString(), "tcp:127.0.0.1:1234");
    EXPECT_EQ(Put(**client, "key", "value"), "");
    EXPECT_EQ(Get(**client, "key"), "value\n\nWritten from plugin-python");
    EXPECT_TRUE((*client)->Ping().ok());
    const absl::Status bye = (*client)->Shutdown();
    EXPECT_TRUE(bye.ok()) << bye;
    EXPECT_EQ((*client)->exit_status(),
              (ExitStatus{ExitStatus::Kind::kSignalled, SIGTERM}));
  }
};

TEST_F(HashicorpPythonTest, Plaintext) { Walk(TlsMode::kInsecure); }

TEST_F(HashicorpPythonTest, AutoMtlsIfOffered) {
  Walk(TlsMode::kAutoMtlsIfOffered);
}

TEST_F(HashicorpPythonTest, AutoMtlsIsRefusedWithAHint) {
  ExpectError(
      Client::Launch(Peer("hashicorp-plugin-python", {}), KvOptions()).status(),
      {Reason::kServerCertificate, "no certificate", "kAutoMtlsIfOffered"});
}

}  // namespace
}  // namespace goplugin::testing

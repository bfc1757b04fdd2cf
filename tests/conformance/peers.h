#ifndef TESTS_CONFORMANCE_PEERS_H_
#define TESTS_CONFORMANCE_PEERS_H_

#include <grpcpp/support/status.h>

#include <memory>
#include <string>
#include <vector>

#include "goplugin/client.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"
#include "tests/support/harness/harness_test.h"

namespace goplugin::testing {

// Tests that need programs built by peers.sh. Where one is missing they are
// skipped with a line that names it; with GOPLUGIN_REQUIRE_PEERS=1 they fail.
// What HarnessTest looks for at the end it looks for here too.
class PeersTest : public HarnessTest {
 protected:
  // The programs of OUTDIR/bin that every test of the suite needs.
  explicit PeersTest(std::vector<std::string> needed);

  void SetUp() override;

  // OUTDIR/bin/`name`.
  std::string PeerPath(const std::string& name) const;
  // A file that peers.sh made elsewhere in OUTDIR.
  std::string PeerFile(const std::string& path) const;
  // That peer, running in a scratch directory, where KV plugins keep files.
  Command Peer(const std::string& name, std::vector<std::string> args) const;
  // That scratch directory, as an absolute path.
  std::string data() const { return ScratchPath("data"); }

 private:
  const std::vector<std::string> needed_;
};

// KvOptions() with this TLS mode.
ClientOptions KvOptionsWith(TlsMode mode);

// A call whose status matters; `value` may be null.
grpc::Status GetStatus(const Client& client, const std::string& key,
                       std::string* value = nullptr);

// Puts and gets "value", pings, shuts down, and expects the plugin to end by
// itself with code 0, and `mark` in what came back.
void ExpectFullWalk(Client& client, const std::string& mark);

}  // namespace goplugin::testing

#endif  // TESTS_CONFORMANCE_PEERS_H_

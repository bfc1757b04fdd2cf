#ifndef TESTS_CONFORMANCE_GO_BROKER_H_
#define TESTS_CONFORMANCE_GO_BROKER_H_

#include <grpcpp/support/status.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "goplugin/client.h"
#include "tests/conformance/peers.h"
#include "tests/conformance/run_host.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"

namespace goplugin::testing {

// Tests with the Go peer `broker`, as a plugin and as a host.
class GoBrokerPeer : public PeersTest {
 protected:
  GoBrokerPeer() : PeersTest({"broker"}) {}

  // The peer as our plugin; null, and a failure of the test, when it does not
  // start.
  std::unique_ptr<Client> LaunchGoPlugin(const Wiring& wiring) const;
  // The peer as a host of our broker_plugin, with these flags as well.
  HostResult RunGoHost(const Wiring& wiring, std::vector<std::string> flags);

  // What a Go plugin is asked to do: to dial `id`; to serve on `count` ids from
  // the one in the answer, the i-th for the number i only ("accept": for any);
  // to end all these servers.
  static grpc::Status PluginDials(const Client& client, std::uint32_t id);
  static std::uint32_t PluginAccepts(const Client& client, int count,
                                     const char* how = "own");
  static void PluginStops(const Client& client);

  AdderService adder_;
};

}  // namespace goplugin::testing

#endif  // TESTS_CONFORMANCE_GO_BROKER_H_

#ifndef TESTS_SUPPORT_BROKER_BROKER_CLIENT_H_
#define TESTS_SUPPORT_BROKER_BROKER_CLIENT_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"
#include "goplugin/endpoint.h"
#include "tests/support/broker/adder.h"

namespace goplugin::testing {

// How the main connection is made, and so the brokered ones.
struct Wiring {
  Endpoint::Network network = Endpoint::Network::kUnix;
  TlsMode tls = TlsMode::kInsecure;
  bool multiplex = false;
};

// For names of tests: "UnixPlain", "TcpAutoMtlsMultiplexed" and so on.
std::string WiringName(const ::testing::TestParamInfo<Wiring>& info);

inline DialOptions Within(absl::Duration timeout) {
  DialOptions options;
  options.timeout = timeout;
  return options;
}

// broker_plugin, wired like that. Null, and a failure of the test, when it does
// not start.
std::unique_ptr<Client> LaunchBrokerPlugin(const Wiring& wiring = {});
// The same with options of the test's own, whose TLS it sets.
std::unique_ptr<Client> LaunchBrokerPlugin(const Wiring& wiring,
                                           ClientOptions options);

// What the plugin is asked to do; see adder.proto. Calls that fail are failures
// of the test.
broker::Outcome PluginDials(const Client& client,
                            const std::vector<std::uint32_t>& ids,
                            std::int64_t a, std::int64_t b,
                            std::int64_t timeout_ms = 0);
broker::Outcome PluginAccepts(const Client& client, std::uint32_t count,
                              bool shared = false, std::uint32_t id = 0);
broker::Outcome PluginMovesBulk(const Client& client, std::uint32_t id,
                                int mebibytes);
void PluginPrints(const Client& client, std::int64_t bytes);
void PluginStops(const Client& client);
broker::FactsResponse PluginFacts(const Client& client);

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_BROKER_BROKER_CLIENT_H_

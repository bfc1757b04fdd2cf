// Options that can't work are refused before anything is started.

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using Spoil = std::function<void(Command&, ClientOptions&)>;

struct BadOption {
  std::string name;
  Spoil spoil;
  // Parts of the message and of the hint.
  std::string message;
  std::string hint;
};

void PrintTo(const BadOption& option, std::ostream* out) {
  *out << option.name;
}

class OptionsFaultTest : public HarnessTest,
                         public ::testing::WithParamInterface<BadOption> {};

TEST_P(OptionsFaultTest, IsRefused) {
  Command command = ServerPlugin({});
  ClientOptions options = PlainOptions();
  bool started = false;
  options.on_phase = [&](LaunchPhase, absl::Duration) { started = true; };
  GetParam().spoil(command, options);
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(command, options);
  ASSERT_FALSE(client.ok());
  ExpectError(client.status(),
              {Reason::kOptions, GetParam().message, GetParam().hint});
  EXPECT_FALSE(started);
}

const std::string kNul("a\0b", 3);

std::vector<BadOption> CommandFaults() {
  return {
      {"PathEmpty", [](Command& c, ClientOptions&) { c.path = ""; },
       "Command::path", "give the path"},
      {"PathWithNul", [](Command& c, ClientOptions&) { c.path = kNul; },
       "Command::path", "NUL"},
      {"DirectoryWithNul",
       [](Command& c, ClientOptions&) { c.working_directory = kNul; }, "NUL",
       "NUL"},
      {"ArgumentWithNul", [](Command& c, ClientOptions&) { c.args = {kNul}; },
       "Command::args", "NUL"},
      {"VariableWithoutName",
       [](Command& c, ClientOptions&) {
         c.env = {{"", "x"}};
       },
       "Command::env", "names are not empty"},
      {"VariableWithEquals",
       [](Command& c, ClientOptions&) {
         c.env = {{"A=B", "x"}};
       },
       "A=B", "'='"},
      {"ValueWithNul",
       [](Command& c, ClientOptions&) {
         c.env = {{"A", kNul}};
       },
       "Command::env", "NUL"},
  };
}

INSTANTIATE_TEST_SUITE_P(Commands, OptionsFaultTest,
                         ::testing::ValuesIn(CommandFaults()),
                         [](const auto& info) { return info.param.name; });

std::vector<BadOption> LimitFaults() {
  const std::string digits(64, '0');
  return {
      {"ChecksumEmpty",
       [](Command& c, ClientOptions&) { c.secure_config = SecureConfig{}; },
       "SecureConfig::checksum", "sha256sum"},
      {"ChecksumShort",
       [](Command& c, ClientOptions&) { c.secure_config = SecureConfig{"12"}; },
       "has 2 bytes; a SHA-256 has 32", "sha256sum"},
      {"ChecksumOfAnotherHash",
       [digits](Command& c, ClientOptions&) {
         c.secure_config = SecureConfig{digits, SecureConfig::Hash::kSha384};
       },
       "a SHA-384 has 48", "SecureConfig::hash"},
      {"UserWithoutGroup",
       [](Command& c, ClientOptions&) { c.user = Command::User{1}; },
       "Command::user", "both the uid and the gid"},
      {"GroupThatIsNone",
       [](Command& c, ClientOptions&) {
         c.user = Command::User{1, 1, {Command::User::kUnset}};
       },
       "Command::user", "4294967295"},
      {"GroupsTooMany",
       [](Command& c, ClientOptions&) {
         c.user = Command::User{1, 1, std::vector<std::uint32_t>(4097, 7)};
       },
       "4097 groups", "at most 4096"},
      {"LimitOfNothing",
       [](Command& c, ClientOptions&) { c.resource_limits = {{}}; },
       "Command::resource_limits", "RLIMIT_NOFILE"},
      {"LimitSoftAboveHard",
       [](Command& c, ClientOptions&) {
         c.resource_limits = {{7, 2, 1}};
       },
       "resource 7, 2 of 1", "not above the hard one"},
      {"LimitTwice",
       [](Command& c, ClientOptions&) {
         c.resource_limits = {{7, 1, 1}, {7, 2, 2}};
       },
       "twice", "one limit"},
      {"NiceTooHigh", [](Command& c, ClientOptions&) { c.nice = 40; },
       "Command::nice", "-39 to 39"},
      {"ControlGroupRelative",
       [](Command& c, ClientOptions&) { c.cgroups = {"unified/x"}; },
       "unified/x", "absolute path"},
      {"ControlGroupWithNul",
       [](Command& c, ClientOptions&) { c.cgroups = {"/" + kNul}; },
       "Command::cgroups", "absolute path"},
      {"DescriptorNegative",
       [](Command& c, ClientOptions&) {
         c.descriptors = {{-1, 5}};
       },
       "descriptor -1 of the host", "open descriptor"},
      {"DescriptorOfStdio",
       [](Command& c, ClientOptions&) {
         c.descriptors = {{0, 2}};
       },
       "to be 2", "from 3 on"},
      {"DescriptorTwice",
       [](Command& c, ClientOptions&) {
         c.descriptors = {{0, 5}, {1, 5}};
       },
       "to be 5", "number of its own"},
  };
}

INSTANTIATE_TEST_SUITE_P(Limits, OptionsFaultTest,
                         ::testing::ValuesIn(LimitFaults()),
                         [](const auto& info) { return info.param.name; });

std::vector<BadOption> HandshakeFaults() {
  return {
      {"CookieKeyEmpty",
       [](Command&, ClientOptions& o) { o.handshake.magic_cookie_key = ""; },
       "magic_cookie_key can't be used; hint: set it to the environment "
       "variable that the plugin checks; the plugin's documentation names it; "
       "it is empty",
       "environment variable"},
      {"CookieKeyWithEquals",
       [](Command&, ClientOptions& o) { o.handshake.magic_cookie_key = "A="; },
       "magic_cookie_key", "environment variable"},
      {"CookieValueEmpty",
       [](Command&, ClientOptions& o) { o.handshake.magic_cookie_value = ""; },
       "magic_cookie_value", "the plugin expects"},
      {"VersionsEmpty",
       [](Command&, ClientOptions& o) { o.handshake.protocol_versions = {}; },
       "protocol_versions", "{1}"},
      {"NetworksEmpty", [](Command&, ClientOptions& o) { o.networks = {}; },
       "networks", "unix and tcp"},
      {"PortZero", [](Command&, ClientOptions& o) { o.min_port = 0; },
       "ports 0 to", "1 to 65535"},
      {"PortTooHigh", [](Command&, ClientOptions& o) { o.max_port = 65536; },
       "65536", "1 to 65535"},
      {"PortsTheWrongWayRound",
       [](Command&, ClientOptions& o) { o.min_port = o.max_port + 1; },
       "25001 to 25000", "1 to 65535"},
      {"SocketDirectoryMissing",
       [](Command&, ClientOptions& o) { o.socket_directory = "/no/such"; },
       "/no/such", "existing directory"},
      {"SocketGroupUnknown",
       [](Command&, ClientOptions& o) { o.socket_group = "no-such-group"; },
       "no-such-group", "group"},
  };
}

INSTANTIATE_TEST_SUITE_P(Handshakes, OptionsFaultTest,
                         ::testing::ValuesIn(HandshakeFaults()),
                         [](const auto& info) { return info.param.name; });

std::vector<BadOption> WaitFaults() {
  return {
      {"StartTimeoutZero",
       [](Command&, ClientOptions& o) { o.start_timeout = absl::Duration(); },
       "start_timeout", "from"},
      {"StartTimeoutNegative",
       [](Command&, ClientOptions& o) {
         o.start_timeout = -absl::InfiniteDuration();
       },
       "start_timeout", "InfiniteDuration"},
      {"NoticeZero",
       [](Command&, ClientOptions& o) {
         o.slow_start_notice = absl::ZeroDuration();
       },
       "slow_start_notice", "InfiniteDuration"},
      {"RpcTimeoutNegative",
       [](Command&, ClientOptions& o) {
         o.shutdown.rpc_timeout = absl::Seconds(-1);
       },
       "shutdown.rpc_timeout", "from 0"},
      {"ExitTimeoutNegative",
       [](Command&, ClientOptions& o) {
         o.shutdown.exit_timeout = absl::Seconds(-1);
       },
       "shutdown.exit_timeout", "from 0"},
      {"TerminateTimeoutNegative",
       [](Command&, ClientOptions& o) {
         o.shutdown.terminate_timeout = absl::Seconds(-1);
       },
       "shutdown.terminate_timeout", "from 0"},
      {"KillTimeoutNegative",
       [](Command&, ClientOptions& o) {
         o.shutdown.kill_timeout = absl::Seconds(-1);
       },
       "shutdown.kill_timeout", "from"},
      {"BrokerKeepNegative",
       [](Command&, ClientOptions& o) { o.broker_keep = absl::Seconds(-1); },
       "broker_keep", "from 0"},
  };
}

INSTANTIATE_TEST_SUITE_P(Waits, OptionsFaultTest,
                         ::testing::ValuesIn(WaitFaults()),
                         [](const auto& info) { return info.param.name; });

std::vector<BadOption> TlsFaults() {
  return {
      {"ManualWithoutRoots",
       [](Command&, ClientOptions& o) { o.tls.mode = TlsMode::kManual; },
       "tls.root_certificates", "certificate"},
      {"ManualRootsNotPem",
       [](Command&, ClientOptions& o) {
         o.tls.mode = TlsMode::kManual;
         o.tls.root_certificates = "not PEM";
       },
       "tls.root_certificates", "PEM"},
      {"RootsWithoutManual",
       [](Command&, ClientOptions& o) {
         o.tls.mode = TlsMode::kAutoMtls;
         o.tls.root_certificates = "something";
       },
       "not used", "kManual"},
      {"NameWithoutManual",
       [](Command&, ClientOptions& o) { o.tls.server_name = "localhost"; },
       "not used", "kManual"},
  };
}

INSTANTIATE_TEST_SUITE_P(Tls, OptionsFaultTest,
                         ::testing::ValuesIn(TlsFaults()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace goplugin::testing

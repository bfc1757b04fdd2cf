// Plugins that start, and whose way to the handshake line goes wrong.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "tests/integration/fault.h"

namespace goplugin::testing {
namespace {

constexpr absl::Duration kShort = absl::Milliseconds(1500);

class HandshakeTable : public LaunchFaultTest {};
class HandshakeFaultTest : public HarnessTest {};

TEST_P(HandshakeTable, EndsInItsError) { ExpectFault(); }

std::vector<Fault> ExitFaults() {
  return {
      {"Exit0",
       MisbehaveBy("exit0"),
       {Reason::kExitedEarly, "exit code 0", ""}},
      {"Exit1",
       MisbehaveBy("exit1"),
       {Reason::kExitedEarly, "exit code 1", ""}},
      {"DiesBySegv",
       MisbehaveBy("die-segv"),
       {Reason::kExitedEarly, "SIGSEGV", ""}},
      {"DiesByKill",
       MisbehaveBy("die-kill"),
       {Reason::kExitedEarly, "SIGKILL", ""}},
      {"DiesByAbort",
       MisbehaveBy("die-abrt"),
       {Reason::kExitedEarly, "SIGABRT", ""}},
      {"ExitWithStderr",
       MisbehaveBy("exit-stderr"),
       {Reason::kExitedEarly, "last stderr", ""}},
      {"ExitWithStdout",
       MisbehaveBy("exit-stdout"),
       {Reason::kExitedEarly, "exit code 2", ""}},
      {"Exit0WithStdout",
       MisbehaveBy("exit-stdout-0"),
       {Reason::kExitedEarly, "exit code 0", ""}},
      {"ExitWithBoth",
       MisbehaveBy("exit-both"),
       {Reason::kExitedEarly, "exit code 3", ""}},
      {"ExitWithTraceback",
       MisbehaveBy("exit-traceback"),
       {Reason::kExitedEarly, "last stderr", ""}},
      {"ExitWithGoPanic",
       MisbehaveBy("exit-go-panic"),
       {Reason::kExitedEarly, "panic: ", ""}},
      {"CookieWrong",
       MisbehaveBy("cookie-wrong"),
       {Reason::kExitedEarly, "exit code 1", ""}},
      {"DiesAfterTheLine",
       MisbehaveBy("line-die"),
       {Reason::kExitedEarly, "SIGKILL", ""}},
      {"ExitsAfterTheLine",
       MisbehaveBy("line-exit1"),
       {Reason::kExitedEarly, "lost my configuration", ""}},
  };
}

INSTANTIATE_TEST_SUITE_P(Exits, HandshakeTable,
                         ::testing::ValuesIn(ExitFaults()), FaultName);

// The exit is what counts, not the end of the pipes.
TEST_F(HandshakeFaultTest, GrandchildKeepsThePipes) {
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(Misbehave({"grandchild", "3"}), KvOptions());
  ExpectError(client.status(), {Reason::kExitedEarly, "exit code 1", ""});
  // The harness made the orphan this process's child.
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), 0) << "the grandchild is gone";
  EXPECT_GT(waitpid(-1, nullptr, 0), 0);
}

std::vector<Fault> SilenceFaults() {
  return {
      {"Silent",
       MisbehaveBy("silent"),
       {Reason::kHandshakeTimeout, "1.5", ""},
       TlsMode::kInsecure,
       kShort},
      {"StoppedBeforeTheLine",
       MisbehaveBy("stop-self"),
       {Reason::kHandshakeTimeout, "", ""},
       TlsMode::kInsecure,
       kShort},
      {"LineWithoutNewline",
       MisbehaveBy("no-newline"),
       {Reason::kHandshakeTimeout, "", "newline"},
       TlsMode::kInsecure,
       kShort},
      {"NoiseText",
       MisbehaveBy("noise-text"),
       {Reason::kHandshakeTimeout, "", ""},
       TlsMode::kInsecure,
       kShort},
      {"NoiseBinary",
       MisbehaveBy("noise-binary"),
       {Reason::kHandshakeTimeout, "", ""},
       TlsMode::kInsecure,
       kShort},
      {"NoiseFivePipes",
       MisbehaveBy("noise-five-pipes"),
       {Reason::kHandshakeTimeout, "a|b|c|d|e|f", ""},
       TlsMode::kInsecure,
       kShort},
      {"Noise10Mb",
       MisbehaveBy("noise-10mb"),
       {Reason::kHandshakeTimeout, "", ""},
       TlsMode::kInsecure,
       kShort},
      {"NoiseForever",
       MisbehaveBy("noise-forever"),
       {Reason::kHandshakeTimeout, "", ""},
       TlsMode::kInsecure,
       kShort},
      {"LongLine10Mb",
       MisbehaveBy("long-line-10mb"),
       {Reason::kHandshakeTimeout, "", ""},
       TlsMode::kInsecure,
       kShort},
      {"StderrForever",
       MisbehaveBy("stderr-forever"),
       {Reason::kHandshakeTimeout, "last stderr", ""},
       TlsMode::kInsecure,
       kShort},
      {"IgnoresSigterm",
       MisbehaveBy("ignore-sigterm"),
       {Reason::kHandshakeTimeout, "", ""},
       TlsMode::kInsecure,
       kShort},
      {"ClosesStdout",
       MisbehaveBy("close-stdout"),
       {Reason::kExitedEarly, "", ""}},
      {"ClosesBoth", MisbehaveBy("close-both"), {Reason::kExitedEarly, "", ""}},
  };
}

INSTANTIATE_TEST_SUITE_P(Silence, HandshakeTable,
                         ::testing::ValuesIn(SilenceFaults()), FaultName);

std::vector<Fault> LineFaults() {
  return {
      {"Core2", MisbehaveBy("core2"), {Reason::kCoreVersion, "2", ""}},
      {"CoreHuge",
       MisbehaveBy("core-huge"),
       {Reason::kCoreVersion, "99999999999999999999", ""}},
      {"AppNotOffered", MisbehaveBy("app9"), {Reason::kAppVersion, "9", "1"}},
      {"AppEmpty",
       MisbehaveBy("app-empty"),
       {Reason::kHandshakeMalformed, "", ""}},
      {"AppZero", MisbehaveBy("app-zero"), {Reason::kAppVersion, "0", ""}},
      {"AppHuge",
       MisbehaveBy("app-huge"),
       {Reason::kHandshakeMalformed, "", ""}},
      {"AppNegative",
       MisbehaveBy("app-negative"),
       {Reason::kHandshakeMalformed, "-1", ""}},
      {"NetworkUnknown",
       MisbehaveBy("network-unknown"),
       {Reason::kTransport, "carrier-pigeon", ""}},
      {"AddressEmpty",
       MisbehaveBy("address-empty"),
       {Reason::kTransport, "", ""}},
      {"AddressWithoutPort",
       MisbehaveBy("address-no-port"),
       {Reason::kTransport, "", ""}},
      {"AddressWithBadPort",
       MisbehaveBy("address-bad-port"),
       {Reason::kTransport, "99999", ""}},
      {"AddressWithBadHost",
       MisbehaveBy("address-bad-host"),
       {Reason::kTransport, "", ""}},
      {"FourFields",
       MisbehaveBy("four-fields"),
       {Reason::kProtocol, "", "gRPC"}},
      {"ThreeFields",
       MisbehaveBy("three-fields"),
       {Reason::kHandshakeMalformed, "", ""}},
      {"NetRpc", MisbehaveBy("netrpc"), {Reason::kProtocol, "", "gRPC"}},
      {"ProtocolUnknown",
       MisbehaveBy("protocol-unknown"),
       {Reason::kProtocol, "smoke-signals", ""}},
      {"BadBase64",
       MisbehaveBy("bad-base64"),
       {Reason::kServerCertificate, "base64", ""},
       TlsMode::kAutoMtls},
      {"BadDer",
       MisbehaveBy("bad-der"),
       {Reason::kServerCertificate, "", ""},
       TlsMode::kAutoMtls},
      {"PathTooLong",
       MisbehaveBy("path-too-long"),
       {Reason::kTransport, "108", ""}},
      {"CookieOfAnotherHost",
       ServerBy({"--cookie=other"}),
       {Reason::kExitedEarly, "", ""}},
  };
}

INSTANTIATE_TEST_SUITE_P(Lines, HandshakeTable,
                         ::testing::ValuesIn(LineFaults()), FaultName);

}  // namespace
}  // namespace goplugin::testing

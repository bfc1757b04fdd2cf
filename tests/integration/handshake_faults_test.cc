// Plugins that start, and whose way to the handshake line goes wrong.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/time/clock.h"
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
       {Reason::kExitedEarly, "exit code 0", "Check what the plugin wrote"}},
      {"Exit1",
       MisbehaveBy("exit1"),
       {Reason::kExitedEarly, "exit code 1", "Check what the plugin wrote"}},
      {"DiesBySegv",
       MisbehaveBy("die-segv"),
       {Reason::kExitedEarly, "SIGSEGV", "Check what the plugin wrote"}},
      {"DiesByKill",
       MisbehaveBy("die-kill"),
       {Reason::kExitedEarly, "SIGKILL", "Check what the plugin wrote"}},
      {"DiesByAbort",
       MisbehaveBy("die-abrt"),
       {Reason::kExitedEarly, "SIGABRT", "Check what the plugin wrote"}},
      {"ExitWithStderr",
       MisbehaveBy("exit-stderr"),
       {Reason::kExitedEarly, "fatal: cannot open /etc/kv.conf",
        "Check what the plugin wrote"}},
      {"ExitWithStdout",
       MisbehaveBy("exit-stdout"),
       {Reason::kExitedEarly, "kv-plugin: missing argument",
        "Check what the plugin wrote"}},
      {"Exit0WithStdout",
       MisbehaveBy("exit-stdout-0"),
       {Reason::kExitedEarly, "kv-plugin 1.2.3",
        "Check what the plugin wrote"}},
      {"ExitWithBoth",
       MisbehaveBy("exit-both"),
       {Reason::kExitedEarly, "on stdout", "Check what the plugin wrote"}},
      {"ExitWithTraceback",
       MisbehaveBy("exit-traceback"),
       {Reason::kExitedEarly, "ValueError: the cause is here",
        "Check what the plugin wrote"}},
      {"ExitWithGoPanic",
       MisbehaveBy("exit-go-panic"),
       {Reason::kExitedEarly, "panic: runtime error: index out of range",
        "Check what the plugin wrote"}},
      {"CookieWrong",
       MisbehaveBy("cookie-wrong"),
       {Reason::kExitedEarly, "This binary is a plugin", "magic cookie"}},
      {"ExitsAfterNoise",
       MisbehaveBy("noise-text-exit"),
       {Reason::kExitedEarly, "error: no license found",
        "Check what the plugin wrote"}},
      {"ExitsAfterALineWithoutNewline",
       MisbehaveBy("no-newline-exit"),
       {Reason::kExitedEarly, "exit code 0", "see its last words on stderr"}},
      {"ExitsWithSuccessAfterTheLine",
       MisbehaveBy("line-exit0"),
       {Reason::kExitedEarly, "exit code 0", "see its last words on stderr"}},
      {"DiesAfterTheLine",
       MisbehaveBy("line-die"),
       {Reason::kExitedEarly, "SIGKILL", "see its last words on stderr"}},
      {"ExitsAfterTheLine",
       MisbehaveBy("line-exit1"),
       {Reason::kExitedEarly, "lost my configuration",
        "see its last words on stderr"}},
  };
}

INSTANTIATE_TEST_SUITE_P(Exits, HandshakeTable,
                         ::testing::ValuesIn(ExitFaults()), FaultName);

// The exit is what counts, not the end of the pipes.
TEST_F(HandshakeFaultTest, GrandchildKeepsThePipes) {
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(Misbehave({"grandchild", "3"}), KvOptions());
  ExpectError(client.status(), {Reason::kExitedEarly, "exit code 1",
                                "Check what the plugin wrote"});
  // The harness made the orphan this process's child.
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), 0) << "the grandchild is gone";
  EXPECT_GT(waitpid(-1, nullptr, 0), 0);
}

std::vector<Fault> SilenceFaults() {
  return {
      {"Silent",
       MisbehaveBy("silent"),
       {Reason::kHandshakeTimeout, "nothing was written to stdout",
        "start timeout is long enough"},
       TlsMode::kInsecure,
       kShort},
      {"StoppedBeforeTheLine",
       MisbehaveBy("stop-self"),
       {Reason::kHandshakeTimeout, "after 1.5",
        "prints its handshake line to stdout and flushes it"},
       TlsMode::kInsecure,
       kShort},
      {"LineWithoutNewline",
       MisbehaveBy("no-newline"),
       {Reason::kHandshakeTimeout, "1|1|unix|/tmp/none|grpc|",
        "without a newline"},
       TlsMode::kInsecure,
       kShort},
      {"NoiseText",
       MisbehaveBy("noise-text"),
       {Reason::kHandshakeTimeout, "ready | steady | go",
        "prints its handshake line to stdout and flushes it"},
       TlsMode::kInsecure,
       kShort},
      {"NoiseBinary",
       MisbehaveBy("noise-binary"),
       {Reason::kHandshakeTimeout, "all of stdout",
        "prints its handshake line to stdout and flushes it"},
       TlsMode::kInsecure,
       kShort},
      {"NoiseFivePipes",
       MisbehaveBy("noise-five-pipes"),
       {Reason::kHandshakeTimeout, "a|b|c|d|e|f",
        "prints its handshake line to stdout and flushes it"},
       TlsMode::kInsecure,
       kShort},
      {"Noise10Mb",
       MisbehaveBy("noise-10mb"),
       {Reason::kHandshakeTimeout, "bytes left out",
        "prints its handshake line to stdout and flushes it"},
       TlsMode::kInsecure,
       kShort},
      {"NoiseForever",
       MisbehaveBy("noise-forever"),
       {Reason::kHandshakeTimeout, "bytes left out",
        "prints its handshake line to stdout and flushes it"},
       TlsMode::kInsecure,
       kShort},
      {"LongLine10Mb",
       MisbehaveBy("long-line-10mb"),
       {Reason::kHandshakeMalformed, "bytes without a newline",
        "must end with a newline, or go to stderr"}},
      {"LongLineForever",
       MisbehaveBy("long-line-forever"),
       {Reason::kHandshakeMalformed, "bytes without a newline",
        "must end with a newline, or go to stderr"}},
      {"StderrForever",
       MisbehaveBy("stderr-forever"),
       {Reason::kHandshakeTimeout, "last stderr",
        "prints its handshake line to stdout and flushes it"},
       TlsMode::kInsecure,
       kShort},
      {"IgnoresSigterm",
       MisbehaveBy("ignore-sigterm"),
       {Reason::kHandshakeTimeout, "nothing was written",
        "prints its handshake line to stdout and flushes it"},
       TlsMode::kInsecure,
       kShort},
      {"ClosesStdout",
       MisbehaveBy("close-stdout"),
       {Reason::kExitedEarly, "closed its stdout",
        "Check what the plugin wrote"}},
      {"ClosesBoth",
       MisbehaveBy("close-both"),
       {Reason::kExitedEarly, "closed its stdout",
        "Check what the plugin wrote"}},
  };
}

INSTANTIATE_TEST_SUITE_P(Silence, HandshakeTable,
                         ::testing::ValuesIn(SilenceFaults()), FaultName);

std::vector<Fault> LineFaults() {
  return {
      {"Core2",
       MisbehaveBy("core2"),
       {Reason::kCoreVersion, "core protocol version \"2\"",
        "core protocol version 1"}},
      {"CoreZero",
       [] {
         return Misbehave({"say", "0|1|unix|/tmp/none|grpc|\\n"});
       },
       {Reason::kCoreVersion, "version \"0\"", "core protocol version 1"}},
      {"TwoLines",
       MisbehaveBy("two-lines"),
       {Reason::kCoreVersion, "2|1|unix", "core protocol version 1"}},
      {"CoreHuge",
       MisbehaveBy("core-huge"),
       {Reason::kCoreVersion, "99999999999999999999",
        "core protocol version 1"}},
      {"AppNotOffered",
       MisbehaveBy("app9"),
       {Reason::kAppVersion, "version 9, the host offered {1}",
        "protocol_versions"}},
      {"AppEmpty",
       MisbehaveBy("app-empty"),
       {Reason::kHandshakeMalformed, "1||unix",
        "that nothing else writes to its stdout"}},
      {"AppZero",
       MisbehaveBy("app-zero"),
       {Reason::kAppVersion, "version 0, the host offered {1}", "{0}"}},
      {"AppHuge",
       MisbehaveBy("app-huge"),
       {Reason::kHandshakeMalformed, "not a number below 2^32",
        "that nothing else writes to its stdout"}},
      {"AppNegative",
       MisbehaveBy("app-negative"),
       {Reason::kHandshakeMalformed, "-1",
        "that nothing else writes to its stdout"}},
      {"NetworkUnknown",
       MisbehaveBy("network-unknown"),
       {Reason::kTransport, "carrier-pigeon", "unix and tcp"}},
      {"AddressEmpty",
       MisbehaveBy("address-empty"),
       {Reason::kTransport, "its address is empty",
        "the address it listens on"}},
      {"AddressWithoutPort",
       MisbehaveBy("address-no-port"),
       {Reason::kTransport, "no port", "127.0.0.1:10000"}},
      {"AddressWithBadPort",
       MisbehaveBy("address-bad-port"),
       {Reason::kTransport, "99999", "127.0.0.1:10000"}},
      {"AddressWithBadHost",
       MisbehaveBy("address-bad-host"),
       {Reason::kTransport, "no such host:80", "127.0.0.1:10000"}},
      {"FourFields",
       MisbehaveBy("four-fields"),
       {Reason::kProtocol, "its line names no protocol", "GRPCServer"}},
      {"ThreeFields",
       MisbehaveBy("three-fields"),
       {Reason::kHandshakeMalformed, "3 of at least 4 fields",
        "that nothing else writes to its stdout"}},
      {"NetRpc",
       MisbehaveBy("netrpc"),
       {Reason::kProtocol, "speaks net/rpc", "GRPCServer"}},
      {"ProtocolUnknown",
       MisbehaveBy("protocol-unknown"),
       {Reason::kProtocol, "smoke-signals", "grpc"}},
      {"BadBase64",
       MisbehaveBy("bad-base64"),
       {Reason::kServerCertificate, "not base64",
        "standard base64 on one line"},
       TlsMode::kAutoMtls},
      {"BadDer",
       MisbehaveBy("bad-der"),
       {Reason::kServerCertificate, "certificate can't be read",
        "DER, in base64"},
       TlsMode::kAutoMtls},
      {"PathTooLong",
       MisbehaveBy("path-too-long"),
       {Reason::kTransport, "108", "shorter path"}},
      {"BehindTextAndAnotherVersion",
       [] {
         return Misbehave({"say", "loading 1|9|unix|/tmp/none|grpc|\\n"});
       },
       {Reason::kAppVersion, "before it: \"loading\"",
        "let that end with a newline"}},
      {"BehindTextAndTwice",
       [] {
         return Misbehave(
             {"say", "ran 1|1|unix|/a|grpc for 1|1|unix|/b|grpc\\n"});
       },
       {Reason::kHandshakeMalformed, "before it: \"ran\"",
        "let that end with a newline"}},
      {"CookieOfAnotherHost",
       ServerBy({"--cookie=other"}),
       {Reason::kExitedEarly, "This binary is a plugin", "magic cookie"}},
  };
}

INSTANTIATE_TEST_SUITE_P(Lines, HandshakeTable,
                         ::testing::ValuesIn(LineFaults()), FaultName);

// Known when the line is read: no second of silence, nothing else to wait for.
TEST_F(HandshakeFaultTest, ARefusedLineIsToldAtOnce) {
  for (const char* refused : {"app9", "netrpc", "four-fields", "core2"}) {
    SCOPED_TRACE(refused);
    absl::Duration least = absl::InfiniteDuration();
    for (int i = 0; i < 3; ++i) {
      const absl::Time start = absl::Now();
      EXPECT_FALSE(Client::Launch(Misbehave({refused}), KvOptions()).ok());
      least = std::min(least, absl::Now() - start);
    }
    // It was 1 s and more.
    EXPECT_LT(least, absl::Milliseconds(500));
  }
}

// The search goes on for a second: the line itself may follow.
TEST_F(HandshakeFaultTest, ALineBehindTextIsToldWithin2Seconds) {
  ClientOptions options = KvOptions();
  options.start_timeout = absl::Minutes(1);
  const absl::Time start = absl::Now();
  EXPECT_FALSE(
      Client::Launch(
          Misbehave({"say", "loading 1|1|unix|/a|grpc 1|1|unix|/b|grpc\\n"}),
          options)
          .ok());
  EXPECT_LT(absl::Now() - start, absl::Seconds(2));
}

TEST_F(HandshakeFaultTest, ALineThatDoesNotEndIsToldWithin2Seconds) {
  ClientOptions options = KvOptions();
  options.start_timeout = absl::Minutes(1);
  for (const char* what : {"long-line-10mb", "long-line-forever"}) {
    const absl::Time start = absl::Now();
    ExpectError(Client::Launch(Misbehave({what}), options).status(),
                {Reason::kHandshakeMalformed, "without a newline", ""});
    EXPECT_LT(absl::Now() - start, absl::Seconds(2)) << what;
  }
}

}  // namespace
}  // namespace goplugin::testing

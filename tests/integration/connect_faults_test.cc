// Plugins whose handshake line is fine, and whose server is not.

#include <gtest/gtest.h>

#include <vector>

#include "absl/time/time.h"
#include "tests/integration/fault.h"

namespace goplugin::testing {
namespace {

constexpr absl::Duration kShort = absl::Milliseconds(1500);

class ConnectFaultTest : public LaunchFaultTest {};

TEST_P(ConnectFaultTest, EndsInItsError) { ExpectFault(); }

std::vector<Fault> AddressFaults() {
  return {
      {"SocketMissing",
       MisbehaveBy("path-missing"),
       {Reason::kConnect, "No such file", "listen"},
       TlsMode::kInsecure,
       kShort},
      {"SocketDead",
       MisbehaveBy("socket-dead"),
       {Reason::kConnect, "Connection refused", "listen"},
       TlsMode::kInsecure,
       kShort},
      {"SocketOfDatagrams",
       MisbehaveBy("socket-datagram"),
       {Reason::kConnect, "wrong type", "listen"},
       TlsMode::kInsecure,
       kShort},
      {"SocketOfPackets",
       MisbehaveBy("socket-seqpacket"),
       {Reason::kConnect, "wrong type", "listen"},
       TlsMode::kInsecure,
       kShort},
      {"AddressIsAFile",
       MisbehaveBy("address-file"),
       {Reason::kTransport, "file, mode", "not its directory or another file"}},
      {"AddressIsADirectory",
       MisbehaveBy("address-directory"),
       {Reason::kTransport, "directory", "not its directory or another file"}},
      {"AddressIsAFifo",
       MisbehaveBy("address-fifo"),
       {Reason::kTransport, "found there",
        "not its directory or another file"}},
      {"TcpPortDead",
       MisbehaveBy("tcp-dead"),
       {Reason::kConnect, "Connection refused", "listen"},
       TlsMode::kInsecure,
       kShort},
      {"NeverAnswers",
       MisbehaveBy("never-accepts"),
       {Reason::kConnect, "tried for 1.", "does not answer"},
       TlsMode::kInsecure,
       kShort},
      {"HangsUp",
       MisbehaveBy("hangup"),
       {Reason::kConnect, "a probe of the endpoint saw", "listen"},
       TlsMode::kInsecure,
       kShort},
      {"AnswersInHttp1",
       MisbehaveBy("http1"),
       {Reason::kConnect, "HTTP/1", "listen"},
       TlsMode::kInsecure,
       kShort},
      // Its health hangs as well: it might answer before it stops.
      {"StoppedAfterTheLine",
       ServerBy({"--stop-self", "--health=hang"}),
       {Reason::kConnect, "tried for 1.", "stopped"},
       TlsMode::kInsecure,
       kShort},
      {"HealthHangs",
       ServerBy({"--health=hang"}),
       {Reason::kConnect, "DEADLINE_EXCEEDED", "does not answer"},
       TlsMode::kInsecure,
       kShort},
      {"DiesInTheHealthCheck",
       ServerBy({"--health=die"}),
       {Reason::kExitedEarly, "SIGKILL", "see its last words on stderr"}},
  };
}

INSTANTIATE_TEST_SUITE_P(Addresses, ConnectFaultTest,
                         ::testing::ValuesIn(AddressFaults()), FaultName);

std::vector<Fault> TlsFaults() {
  return {
      {"CertificateMissing",
       ServerBy({"--tls=none"}),
       {Reason::kServerCertificate, "no certificate", "kAutoMtlsIfOffered"},
       TlsMode::kAutoMtls},
      {"CertificateUnasked",
       ServerBy({"--tls=one-way"}),
       {Reason::kServerCertificate, "certificate", "kAutoMtls"},
       TlsMode::kInsecure},
      {"AnnouncedButPlaintext",
       ServerBy({"--tls=announced-plaintext"}),
       {Reason::kTls, "serves without TLS", "kInsecure"},
       TlsMode::kAutoMtls},
      {"TlsUnasked",
       ServerBy({"--tls=unannounced"}),
       {Reason::kTls, "the plugin serves TLS", "tls.mode"},
       TlsMode::kInsecure},
      {"TlsUnannounced",
       ServerBy({"--tls=unannounced"}),
       {Reason::kTls, "the plugin serves TLS", "kManual"},
       TlsMode::kAutoMtlsIfOffered},
      {"WeakKey",
       ServerBy({"--tls=weak-key"}),
       {Reason::kServerCertificate, "RSA 1024", "tls.min_rsa_bits"},
       TlsMode::kAutoMtls},
      {"WrongName",
       ServerBy({"--tls=wrong-name"}),
       {Reason::kServerCertificate, "plugin.example.com", "localhost"},
       TlsMode::kAutoMtls},
      {"OtherCertificateServed",
       ServerBy({"--tls=other-certificate"}),
       {Reason::kServerCertificate, "could not be verified",
        "another certificate than the one in its handshake line"},
       TlsMode::kAutoMtls},
      {"ServerBadBase64",
       ServerBy({"--tls=bad-base64"}),
       {Reason::kServerCertificate, "not base64",
        "standard base64 on one line"},
       TlsMode::kAutoMtls},
      {"ServerBadDer",
       ServerBy({"--tls=bad-der"}),
       {Reason::kServerCertificate, "certificate", "DER, in base64"},
       TlsMode::kAutoMtls},
      {"ServerCutDer",
       ServerBy({"--tls=cut-der"}),
       {Reason::kServerCertificate, "can't be read", "DER, in base64"},
       TlsMode::kAutoMtls},
  };
}

INSTANTIATE_TEST_SUITE_P(Tls, ConnectFaultTest,
                         ::testing::ValuesIn(TlsFaults()), FaultName);

}  // namespace
}  // namespace goplugin::testing

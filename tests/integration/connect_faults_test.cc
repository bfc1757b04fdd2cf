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
       {Reason::kConnect, "", "listen"},
       TlsMode::kInsecure,
       kShort},
      {"SocketOfPackets",
       MisbehaveBy("socket-seqpacket"),
       {Reason::kConnect, "", "listen"},
       TlsMode::kInsecure,
       kShort},
      {"AddressIsAFile",
       MisbehaveBy("address-file"),
       {Reason::kTransport, "file, mode", ""}},
      {"AddressIsADirectory",
       MisbehaveBy("address-directory"),
       {Reason::kTransport, "directory", ""}},
      {"AddressIsAFifo",
       MisbehaveBy("address-fifo"),
       {Reason::kTransport, "", ""}},
      {"TcpPortDead",
       MisbehaveBy("tcp-dead"),
       {Reason::kConnect, "Connection refused", "listen"},
       TlsMode::kInsecure,
       kShort},
      {"NeverAnswers",
       MisbehaveBy("never-accepts"),
       {Reason::kConnect, "", "does not answer"},
       TlsMode::kInsecure,
       kShort},
      {"HangsUp",
       MisbehaveBy("hangup"),
       {Reason::kConnect, "", ""},
       TlsMode::kInsecure,
       kShort},
      {"AnswersInHttp1",
       MisbehaveBy("http1"),
       {Reason::kConnect, "HTTP/1", ""},
       TlsMode::kInsecure,
       kShort},
      {"StoppedAfterTheLine",
       ServerBy({"--stop-self"}),
       {Reason::kConnect, "", "stopped"},
       TlsMode::kInsecure,
       kShort},
      {"HealthHangs",
       ServerBy({"--health=hang"}),
       {Reason::kConnect, "", "does not answer"},
       TlsMode::kInsecure,
       kShort},
      {"DiesInTheHealthCheck",
       ServerBy({"--health=die"}),
       {Reason::kExitedEarly, "", ""}},
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
       {Reason::kTls, "", "kInsecure"},
       TlsMode::kAutoMtls},
      {"TlsUnasked",
       ServerBy({"--tls=unannounced"}),
       {Reason::kTls, "TLS", "tls.mode"},
       TlsMode::kInsecure},
      {"TlsUnannounced",
       ServerBy({"--tls=unannounced"}),
       {Reason::kTls, "TLS", ""},
       TlsMode::kAutoMtlsIfOffered},
      {"Expired",
       ServerBy({"--tls=expired"}),
       {Reason::kServerCertificate, "expired", ""},
       TlsMode::kAutoMtls},
      {"NotYetValid",
       ServerBy({"--tls=not-yet-valid"}),
       {Reason::kServerCertificate, "", "clock"},
       TlsMode::kAutoMtls},
      {"WeakKey",
       ServerBy({"--tls=weak-key"}),
       {Reason::kServerCertificate, "RSA", ""},
       TlsMode::kAutoMtls},
      {"WrongName",
       ServerBy({"--tls=wrong-name"}),
       {Reason::kServerCertificate, "plugin.example.com", "localhost"},
       TlsMode::kAutoMtls},
      {"OtherCertificateServed",
       ServerBy({"--tls=other-certificate"}),
       {Reason::kServerCertificate, "", ""},
       TlsMode::kAutoMtls},
      {"ServerBadBase64",
       ServerBy({"--tls=bad-base64"}),
       {Reason::kServerCertificate, "base64", ""},
       TlsMode::kAutoMtls},
      {"ServerBadDer",
       ServerBy({"--tls=bad-der"}),
       {Reason::kServerCertificate, "", ""},
       TlsMode::kAutoMtls},
      {"ServerCutDer",
       ServerBy({"--tls=cut-der"}),
       {Reason::kServerCertificate, "", ""},
       TlsMode::kAutoMtls},
  };
}

INSTANTIATE_TEST_SUITE_P(Tls, ConnectFaultTest,
                         ::testing::ValuesIn(TlsFaults()), FaultName);

}  // namespace
}  // namespace goplugin::testing

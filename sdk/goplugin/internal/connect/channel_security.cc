#include "goplugin/internal/connect/channel_security.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/credentials.h"

namespace goplugin::internal {
namespace {

absl::Status CertificateError(std::string what, std::string hint,
                              const HandshakeResponse& response) {
  ErrorDetails details;
  details.reason = Reason::kServerCertificate;
  details.what = std::move(what);
  details.evidence = {absl::StrCat("the line: ", Quote(response.raw_line))};
  details.hint = std::move(hint);
  return MakeError(details);
}

absl::StatusOr<ChannelSecurity> Insecure(const HandshakeResponse& response) {
  if (!response.certificate_der.empty()) {
    return CertificateError(
        "the plugin announced a certificate, but TLS is off on this side",
        "set tls.mode to TlsMode::kAutoMtls; if the plugin has a certificate "
        "of its own, to TlsMode::kManual with its root",
        response);
  }
  ChannelSecurity security;
  security.credentials = grpc::InsecureChannelCredentials();
  return security;
}

absl::StatusOr<ChannelSecurity> AutoMtls(const TlsOptions& tls,
                                         const KeyPair& key_pair,
                                         const HandshakeResponse& response) {
  absl::StatusOr<PeerCertificate> peer =
      ParsePeerCertificate(response.certificate_der, tls.min_rsa_bits);
  if (!peer.ok()) return peer.status();
  ChannelSecurity security;
  absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials =
      MakeAutoMtlsChannelCredentials(key_pair, *peer);
  if (!credentials.ok()) return credentials.status();
  security.credentials = *std::move(credentials);
  security.uses_tls = true;
  security.server_name = kServerName;
  security.tls_client.tls = {peer->pem, key_pair.certificate_pem,
                             key_pair.private_key_pem, kServerName};
  security.tls_client.is_pinned = true;
  security.announced = *std::move(peer);
  return security;
}

absl::StatusOr<ChannelSecurity> Manual(const TlsOptions& tls) {
  ChannelSecurity security;
  security.tls_client.tls = {tls.root_certificates, tls.certificate_chain,
                             tls.private_key, tls.server_name};
  absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials =
      MakeManualChannelCredentials(security.tls_client.tls);
  if (!credentials.ok()) return credentials.status();
  security.credentials = *std::move(credentials);
  security.uses_tls = true;
  security.server_name =
      tls.server_name.empty() ? kServerName : tls.server_name;
  return security;
}

}  // namespace

absl::StatusOr<ChannelSecurity> ChooseSecurity(
    const TlsOptions& tls, const absl::optional<KeyPair>& key_pair,
    const HandshakeResponse& response) {
  switch (tls.mode) {
    case TlsMode::kManual:
      return Manual(tls);
    case TlsMode::kInsecure:
      return Insecure(response);
    case TlsMode::kAutoMtls:
    case TlsMode::kAutoMtlsIfOffered:
      break;
  }
  if (!response.certificate_der.empty()) {
    return AutoMtls(tls, *key_pair, response);
  }
  if (tls.mode == TlsMode::kAutoMtlsIfOffered) return Insecure(response);
  return CertificateError(
      "the plugin announced no certificate, though AutoMTLS was asked for",
      "the plugin does not do AutoMTLS, or has it turned off "
      "(PLUGIN_AUTO_MTLS=false in its environment, for one); "
      "TlsMode::kAutoMtlsIfOffered accepts a connection without TLS",
      response);
}

BrokerSecurity SecureBrokeredAlike(const ChannelSecurity& security,
                                   const TlsOptions& tls,
                                   const absl::optional<KeyPair>& key_pair) {
  BrokerSecurity broker;
  broker.server_name = security.server_name;
  if (security.announced.has_value()) {
    broker.channel_credentials = [ours = *key_pair,
                                  theirs = *security.announced] {
      return MakeAutoMtlsChannelCredentials(ours, theirs);
    };
    broker.server_credentials = [ours = *key_pair,
                                 theirs = *security.announced] {
      return MakeAutoMtlsServerCredentials(ours, theirs);
    };
    return broker;
  }
  broker.channel_credentials = [credentials = security.credentials] {
    return credentials;
  };
  if (security.uses_tls) {
    broker.server_credentials = [tls] {
      return MakeManualServerCredentials({tls.root_certificates,
                                          tls.certificate_chain,
                                          tls.private_key, tls.server_name});
    };
  } else {
    broker.server_credentials = [] {
      return grpc::InsecureServerCredentials();
    };
  }
  return broker;
}

}  // namespace goplugin::internal

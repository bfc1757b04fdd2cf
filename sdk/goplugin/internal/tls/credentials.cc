#include "goplugin/internal/tls/credentials.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/manual_tls.h"
#include "goplugin/internal/tls/openssl.h"
#include "goplugin/internal/tls/peer_checks.h"
#include "goplugin/internal/tls/pem.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"

// BoringSSL never offers the signature scheme that a P-521 key needs in
// TLS 1.3. In TLS 1.2 the scheme does not name the curve, and it works where
// the client names the curve among its groups, which gRPC does from 1.83 on
// (before: "BAD_ECC_CERT"). Only TlsCredentials can set the version. OpenSSL is
// the other way round (TLS 1.3 works, TLS 1.2 says "wrong curve"): never limit
// the version there.
#if !defined(OPENSSL_IS_BORINGSSL)
#define GOPLUGIN_P521_ALWAYS_WORKS 1
#elif GRPC_CPP_VERSION_MAJOR > 1 || GRPC_CPP_VERSION_MINOR >= 83
#define GOPLUGIN_P521_NEEDS_TLS12 1
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"
#endif

namespace goplugin::internal {
namespace {

#if defined(GOPLUGIN_P521_ALWAYS_WORKS)

absl::Status CheckP521(bool /*is_p521*/) { return absl::OkStatus(); }

#elif defined(GOPLUGIN_P521_NEEDS_TLS12)

absl::Status CheckP521(bool /*is_p521*/) { return absl::OkStatus(); }

using Provider = grpc::experimental::InMemoryCertificateProvider;

absl::Status TlsError(const absl::Status& status) {
  return MakeError(Reason::kTls, std::string(status.message()),
                   "report this to the authors of go-plugin-cpp");
}

absl::StatusOr<std::shared_ptr<Provider>> MakeProvider(
    const KeyPair& ours, const std::string& trusted) {
  auto provider = std::make_shared<Provider>();
  absl::Status status = provider->UpdateRoot(trusted);
  status.Update(provider->UpdateIdentityKeyCertPair(
      std::vector<grpc::experimental::IdentityKeyOrSignerCertPair>{
          {ours.private_key_pem, ours.certificate_pem}}));
  if (!status.ok()) return TlsError(status);
  return provider;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>>
Tls12ChannelCredentials(const KeyPair& ours, const std::string& trusted) {
  const auto provider = MakeProvider(ours, trusted);
  if (!provider.ok()) return provider.status();
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_root_certificate_provider(*provider);
  options.set_identity_certificate_provider(*provider);
  options.set_max_tls_version(grpc_tls_version::TLS1_2);
  return grpc::experimental::TlsCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Tls12ServerCredentials(
    const KeyPair& ours, const std::string& trusted) {
  const auto provider = MakeProvider(ours, trusted);
  if (!provider.ok()) return provider.status();
  auto options =
      grpc::experimental::TlsServerCredentialsOptions::Create(*provider);
  if (!options.ok()) return TlsError(options.status());
  options->set_root_certificate_provider(*provider);
  options->set_cert_request_type(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options->set_max_tls_version(grpc_tls_version::TLS1_2);
  return grpc::experimental::TlsServerCredentials(*options);
}

#else  // BoringSSL, and a gRPC that can't help.

absl::Status CheckP521(bool is_p521) {
  if (!is_p521) return absl::OkStatus();
  ErrorDetails details;
  details.reason = Reason::kServerCertificate;
  details.what =
      "the other side's certificate has an ECDSA P-521 key, which this build "
      "can't use";
  details.evidence = {absl::StrCat("gRPC ", grpc::Version(), " on BoringSSL")};
  details.hint =
      "build gRPC on OpenSSL (--@grpc//third_party:grpc_use_openssl=true), or "
      "use gRPC 1.83 or later; go-plugin itself always makes P-521 keys";
  return MakeError(details);
}

#endif

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>>
MakeAutoMtlsChannelCredentials(const KeyPair& ours,
                               const PeerCertificate& peer) {
  absl::Status possible = CheckP521(peer.is_p521);
  if (!possible.ok()) return possible;
#if defined(GOPLUGIN_P521_NEEDS_TLS12)
  if (peer.is_p521) return Tls12ChannelCredentials(ours, peer.pem);
#endif
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = peer.pem;
  options.pem_private_key = ours.private_key_pem;
  options.pem_cert_chain = ours.certificate_pem;
  return grpc::SslCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>>
MakeAutoMtlsChannelCredentials(const KeyPair& ours,
                               const std::string& peer_certificate_pem) {
  absl::StatusOr<std::vector<OpensslPtr<X509>>> certificates = ReadCertificates(
      peer_certificate_pem, "the host's certificate (PLUGIN_CLIENT_CERT)");
  if (!certificates.ok()) return certificates.status();
  PeerCertificate peer;
  peer.pem = peer_certificate_pem;
  peer.is_p521 = IsP521(certificates->front().get());
  return MakeAutoMtlsChannelCredentials(ours, peer);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>>
MakeManualChannelCredentials(const ManualTls& tls) {
  absl::Status valid = ValidateManualTls(tls);
  if (!valid.ok()) return valid;
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = tls.root_certificates;
  options.pem_private_key = tls.private_key;
  options.pem_cert_chain = tls.certificate_chain;
  return grpc::SslCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>>
MakeAutoMtlsServerCredentials(const KeyPair& ours,
                              const std::string& client_certificate_pem) {
  absl::StatusOr<std::vector<OpensslPtr<X509>>> clients = ReadCertificates(
      client_certificate_pem, "the host's certificate (PLUGIN_CLIENT_CERT)");
  if (!clients.ok()) return clients.status();
  const bool is_p521 = IsP521(clients->front().get());
  absl::Status possible = CheckP521(is_p521);
  if (!possible.ok()) return possible;
#if defined(GOPLUGIN_P521_NEEDS_TLS12)
  if (is_p521) {
    return Tls12ServerCredentials(ours, client_certificate_pem);
  }
#endif
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = client_certificate_pem;
  options.pem_key_cert_pairs.push_back(
      {ours.private_key_pem, ours.certificate_pem});
  return grpc::SslServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>>
MakeManualServerCredentials(const ManualTls& tls) {
  absl::Status valid = ValidateManualTls(tls);
  if (!valid.ok()) return valid;
  if (tls.certificate_chain.empty()) {
    return MakeError(
        Reason::kOptions,
        "there is no certificate to accept brokered connections with",
        "set tls.certificate_chain and tls.private_key, or give "
        "AcceptOptions::credentials");
  }
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = tls.root_certificates;
  options.pem_key_cert_pairs.push_back(
      {tls.private_key, tls.certificate_chain});
  return grpc::SslServerCredentials(options);
}

}  // namespace goplugin::internal

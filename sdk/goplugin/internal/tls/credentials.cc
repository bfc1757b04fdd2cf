#include "goplugin/internal/tls/credentials.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/manual_tls.h"
#include "goplugin/internal/tls/trusted_peer.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_certificate_verifier.h"
#include "grpcpp/security/tls_credentials_options.h"

// BoringSSL never offers the signature scheme that a P-521 key needs in
// TLS 1.3. In TLS 1.2 the scheme does not name the curve, and it works where
// the client names the curve among its groups, which gRPC does from 1.83 on
// (before: "BAD_ECC_CERT"). OpenSSL is the other way round (TLS 1.3 works, TLS
// 1.2 says "wrong curve"): never limit the version there.
#if GRPC_CPP_VERSION_MAJOR > 1 || GRPC_CPP_VERSION_MINOR >= 83
#define GOPLUGIN_NEW_PROVIDERS 1
#endif
#if !defined(OPENSSL_IS_BORINGSSL)
#define GOPLUGIN_P521_ALWAYS_WORKS 1
#elif defined(GOPLUGIN_NEW_PROVIDERS)
#define GOPLUGIN_P521_NEEDS_TLS12 1
#endif

namespace goplugin::internal {
namespace {

namespace grpc_tls = grpc::experimental;

// gRPC's own verification looks at the clock and at the library's security
// level, and can't be told not to. Where these would refuse the one that is
// trusted, gRPC is asked for none, and this is all there is: no byte of a call
// is sent or taken before it has said yes. It is asked on gRPC's threads, once
// a connection.
//
// Where the library takes the trusted one, it is asked as well, and first: gRPC
// reads the names in whatever certificate it has not refused, and aborts the
// process when it can't (an IP address of five bytes will do).
class TrustedPeer final : public grpc_tls::ExternalCertificateVerifier {
 public:
  TrustedPeer(std::string trusted, PeerRole role)
      : trusted_(std::move(trusted)), role_(role) {}
  ~TrustedPeer() override = default;

  bool Verify(grpc_tls::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)> /*callback*/,
              grpc::Status* sync_status) override {
    const absl::Status status =
        CheckTrusted(trusted_, ToView(request->peer_cert()),
                     ToView(request->peer_cert_full_chain()), role_);
    if (!status.ok()) {
      *sync_status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED,
                                  std::string(status.message()));
    }
    return true;
  }
  void Cancel(
      grpc_tls::TlsCustomVerificationCheckRequest* /*request*/) override {}

 private:
  static absl::string_view ToView(const grpc::string_ref& text) {
    return absl::string_view(text.data(), text.size());
  }

  const std::string trusted_;
  const PeerRole role_;
};

// Also when a connection is made again later.
bool LibraryTrusts(const PeerCertificate& peer) {
  constexpr absl::Duration kLongLife = absl::Hours(30 * 24);
  return absl::Now() + kLongLife < peer.library_trusts_until;
}

absl::Status TlsError(const absl::Status& status) {
  return MakeError(Reason::kTls, std::string(status.message()),
                   "report this to the authors of go-plugin-cpp");
}

// `trusted` is given to gRPC as well: a server sends its name to the client,
// which chooses its certificate by it.
#if defined(GOPLUGIN_NEW_PROVIDERS)

using Provider = grpc_tls::InMemoryCertificateProvider;

absl::StatusOr<std::shared_ptr<Provider>> MakeProvider(
    const KeyPair& ours, const std::string& trusted) {
  auto provider = std::make_shared<Provider>();
  absl::Status status = provider->UpdateRoot(trusted);
  status.Update(provider->UpdateIdentityKeyCertPair(
      std::vector<grpc_tls::IdentityKeyOrSignerCertPair>{
          {ours.private_key_pem, ours.certificate_pem}}));
  if (!status.ok()) return TlsError(status);
  return provider;
}

void Watch(const std::shared_ptr<Provider>& provider,
           grpc_tls::TlsCredentialsOptions& options) {
  options.set_root_certificate_provider(provider);
  options.set_identity_certificate_provider(provider);
}

absl::StatusOr<grpc_tls::TlsServerCredentialsOptions> ServerOptions(
    const std::shared_ptr<Provider>& provider) {
  return grpc_tls::TlsServerCredentialsOptions::Create(provider);
}

#else

using Provider = grpc_tls::StaticDataCertificateProvider;

absl::StatusOr<std::shared_ptr<Provider>> MakeProvider(
    const KeyPair& ours, const std::string& trusted) {
  return std::make_shared<Provider>(
      trusted, std::vector<grpc_tls::IdentityKeyCertPair>{
                   {ours.private_key_pem, ours.certificate_pem}});
}

void Watch(const std::shared_ptr<Provider>& provider,
           grpc_tls::TlsCredentialsOptions& options) {
  options.set_certificate_provider(provider);
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
}

absl::StatusOr<grpc_tls::TlsServerCredentialsOptions> ServerOptions(
    const std::shared_ptr<Provider>& provider) {
  return grpc_tls::TlsServerCredentialsOptions(provider);
}

#endif

#if defined(GOPLUGIN_P521_ALWAYS_WORKS)

absl::Status CheckP521(bool /*is_p521*/) { return absl::OkStatus(); }
void LimitVersion(bool /*is_p521*/,
                  grpc_tls::TlsCredentialsOptions& /*options*/) {}

#elif defined(GOPLUGIN_P521_NEEDS_TLS12)

absl::Status CheckP521(bool /*is_p521*/) { return absl::OkStatus(); }
void LimitVersion(bool is_p521, grpc_tls::TlsCredentialsOptions& options) {
  if (is_p521) options.set_max_tls_version(grpc_tls_version::TLS1_2);
}

#else  // BoringSSL, and a gRPC that can't help.

void LimitVersion(bool /*is_p521*/,
                  grpc_tls::TlsCredentialsOptions& /*options*/) {}
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
  const auto provider = MakeProvider(ours, peer.pem);
  if (!provider.ok()) return provider.status();
  grpc_tls::TlsChannelCredentialsOptions options;
  Watch(*provider, options);
  LimitVersion(peer.is_p521, options);
  options.set_verify_server_certs(LibraryTrusts(peer));
  options.set_certificate_verifier(
      grpc_tls::ExternalCertificateVerifier::Create<TrustedPeer>(
          peer.pem, PeerRole::kServer));
  return grpc_tls::TlsCredentials(options);
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
                              const PeerCertificate& client) {
  absl::Status possible = CheckP521(client.is_p521);
  if (!possible.ok()) return possible;
  const auto provider = MakeProvider(ours, client.pem);
  if (!provider.ok()) return provider.status();
  auto options = ServerOptions(*provider);
  if (!options.ok()) return TlsError(options.status());
  Watch(*provider, *options);
  LimitVersion(client.is_p521, *options);
  options->set_cert_request_type(
      LibraryTrusts(client)
          ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
          : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
  options->set_certificate_verifier(
      grpc_tls::ExternalCertificateVerifier::Create<TrustedPeer>(
          client.pem, PeerRole::kClient));
  return grpc_tls::TlsServerCredentials(*options);
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

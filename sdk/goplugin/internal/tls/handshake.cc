#include "goplugin/internal/tls/handshake.h"

#include <openssl/err.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/pem.h"
#include "goplugin/internal/tls/trusted_peer.h"

namespace goplugin::internal {
namespace {

constexpr unsigned char kAlpn[] = {2, 'h', '2'};
// What an HTTP/2 client says first; some servers wait for it. With an empty
// SETTINGS frame.
constexpr absl::string_view kPreface(
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

void Trust(const std::string& pem, X509_STORE* store) {
  if (pem.empty()) return;
  const auto certificates = ReadCertificates(pem, "the trusted certificates");
  if (!certificates.ok()) return;
  for (const OpensslPtr<X509>& certificate : *certificates) {
    X509_STORE_add_cert(store, certificate.get());
  }
}

// The first of the chain, its issuers, and the key.
bool Present(const ManualTls& tls, SSL_CTX* context) {
  if (tls.certificate_chain.empty()) return true;
  auto chain = ReadCertificates(tls.certificate_chain, "the certificate chain");
  const auto key = ReadPrivateKey(tls.private_key, "the private key");
  if (!chain.ok() || !key.ok()) return false;
  if (SSL_CTX_use_certificate(context, chain->front().get()) != 1) return false;
  for (size_t i = 1; i < chain->size(); ++i) {
    // Takes it, when it does not fail.
    if (SSL_CTX_add_extra_chain_cert(context, (*chain)[i].get()) != 1) {
      return false;
    }
    (void)(*chain)[i].release();
  }
  return SSL_CTX_use_PrivateKey(context, key->get()) == 1;
}

// Of RFC 8446, 6.2.
HandshakeResult FromAlert(int alert) {
  constexpr int kHandshakeFailure = 40;
  constexpr int kBadCertificate = 42;
  constexpr int kUnknownCa = 48;
  constexpr int kAccessDenied = 49;
  constexpr int kProtocolVersion = 70;
  constexpr int kInsufficientSecurity = 71;
  constexpr int kCertificateRequired = 116;
  constexpr int kNoApplicationProtocol = 120;
  switch (alert) {
    case kHandshakeFailure:
    case kUnknownCa:
    case kAccessDenied:
    case kCertificateRequired:
      return HandshakeResult::kRefusedUs;
    case kProtocolVersion:
    case kInsufficientSecurity:
      return HandshakeResult::kNothingInCommon;
    case kNoApplicationProtocol:
      return HandshakeResult::kNoHttp2;
    default:
      // Unsupported, revoked, expired, unknown.
      return alert >= kBadCertificate && alert < kUnknownCa - 1
                 ? HandshakeResult::kRefusedUs
                 : HandshakeResult::kOther;
  }
}

// An alert that ended the handshake, or what this side did not like.
HandshakeResult FromError(unsigned long error) {  // NOLINT(google-runtime-int)
  constexpr int kNothingInCommon[] = {
    SSL_R_UNSUPPORTED_PROTOCOL,
    SSL_R_WRONG_SIGNATURE_TYPE,
    SSL_R_UNKNOWN_CERTIFICATE_TYPE,
    SSL_R_WRONG_CIPHER_RETURNED,
#if defined(SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM)
    SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
#endif
#if defined(SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS)
    SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS,
#endif
  };
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return HandshakeResult::kOther;
  const int reason = ERR_GET_REASON(error);
  // The library's own reasons are below.
  if (reason >= SSL_AD_REASON_OFFSET) {
    return FromAlert(reason - SSL_AD_REASON_OFFSET);
  }
  return std::find(std::begin(kNothingInCommon), std::end(kNothingInCommon),
                   reason) != std::end(kNothingInCommon)
             ? HandshakeResult::kNothingInCommon
             : HandshakeResult::kOther;
}

bool IsWrongName(long verified) {  // NOLINT(google-runtime-int)
  return verified == X509_V_ERR_HOSTNAME_MISMATCH ||
         verified == X509_V_ERR_IP_ADDRESS_MISMATCH;
}

// With the library's own judgement put off until the handshake's end.
OpensslPtr<SSL_CTX> MakeContext(const TlsClient& client) {
  OpensslPtr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr || !Present(client.tls, context.get())) return nullptr;
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_alpn_protos(context.get(), kAlpn, sizeof(kAlpn));
  Trust(client.tls.root_certificates, SSL_CTX_get_cert_store(context.get()));
  X509_VERIFY_PARAM_set_flags(
      SSL_CTX_get0_param(context.get()),
      X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  return context;
}

}  // namespace

TlsHandshake::TlsHandshake(const TlsClient& client) : client_(client) {
  const ErrorQueueGuard guard;
  context_ = MakeContext(client);
  if (context_ == nullptr) return;
  ssl_.reset(SSL_new(context_.get()));
  if (ssl_ == nullptr) return;
  in_ = BIO_new(BIO_s_mem());
  out_ = BIO_new(BIO_s_mem());
  if (in_ == nullptr || out_ == nullptr) {
    BIO_free(in_);
    BIO_free(out_);
    ssl_.reset();
    return;
  }
  SSL_set_bio(ssl_.get(), in_, out_);  // takes both
  const std::string& own = client.tls.server_name;
  const char* name = own.empty() ? kServerName : own.c_str();
  SSL_set_tlsext_host_name(ssl_.get(), name);
  X509_VERIFY_PARAM* const expected = SSL_get0_param(ssl_.get());
  if (X509_VERIFY_PARAM_set1_ip_asc(expected, name) != 1) {
    X509_VERIFY_PARAM_set1_host(expected, name, 0);
  }
  SSL_set_connect_state(ssl_.get());
  Advance();
}

std::string TlsHandshake::TakeOutput() {
  if (ssl_ == nullptr) return "";
  std::string bytes = BioBytes(out_);
  (void)BIO_reset(out_);
  return bytes;
}

void TlsHandshake::Feed(absl::string_view bytes) {
  if (ssl_ == nullptr || result_ != HandshakeResult::kUnfinished) return;
  const ErrorQueueGuard guard;
  BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
  Advance();
}

void TlsHandshake::End() {
  if (ssl_ == nullptr || result_ != HandshakeResult::kUnfinished) return;
  // A server that does not say why it ends a handshake.
  result_ = HandshakeResult::kRefusedUs;
}

void TlsHandshake::Advance() {
  if (!is_connected_) {
    const int returned = SSL_do_handshake(ssl_.get());
    if (returned != 1) return OnFailure(returned);
    is_connected_ = true;
    const HandshakeResult judged = Judge();
    if (judged != HandshakeResult::kAccepted) {
      result_ = judged;
      return;
    }
    SSL_write(ssl_.get(), kPreface.data(), static_cast<int>(kPreface.size()));
  }
  // In TLS 1.3 a server judges its client after the handshake's last message:
  // it says so, or speaks.
  char byte = 0;
  const int returned = SSL_read(ssl_.get(), &byte, 1);
  if (returned != 1) return OnFailure(returned);
  result_ = HandshakeResult::kAccepted;
}

void TlsHandshake::OnFailure(int returned) {
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return;
    case SSL_ERROR_ZERO_RETURN:
      result_ = HandshakeResult::kRefusedUs;
      return;
    default:
      result_ = FromError(ERR_peek_error());
  }
}

HandshakeResult TlsHandshake::Judge() const {
  const OpensslPtr<X509> peer(SSL_get_peer_certificate(ssl_.get()));
  if (peer == nullptr) return HandshakeResult::kUntrusted;
  const auto verified = SSL_get_verify_result(ssl_.get());
  bool is_trusted = verified == X509_V_OK;
  if (client_.is_pinned) {
    std::string chain;
    const STACK_OF(X509)* sent = SSL_get_peer_cert_chain(ssl_.get());
    const size_t size = sent == nullptr ? 0 : sk_X509_num(sent);
    for (size_t i = 0; i < std::min(size, kMostTrusted); ++i) {
      absl::StrAppend(&chain, CertificateToPem(sk_X509_value(sent, i)));
    }
    is_trusted =
        CheckTrusted(client_.tls.root_certificates,
                     CertificateToPem(peer.get()), chain, PeerRole::kServer)
            .ok();
  }
  if (!is_trusted) {
    return IsWrongName(verified) ? HandshakeResult::kWrongName
                                 : HandshakeResult::kUntrusted;
  }
  const unsigned char* chosen = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &chosen, &size);
  const absl::string_view protocol(reinterpret_cast<const char*>(chosen), size);
  return protocol == "h2" ? HandshakeResult::kAccepted
                          : HandshakeResult::kNoHttp2;
}

}  // namespace goplugin::internal

#ifndef GOPLUGIN_INTERNAL_TLS_HANDSHAKE_H_
#define GOPLUGIN_INTERNAL_TLS_HANDSHAKE_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "goplugin/internal/tls/manual_tls.h"
#include "goplugin/internal/tls/openssl.h"

namespace goplugin::internal {

// Who asks for a connection, and whom it trusts.
struct TlsClient {
  ManualTls tls = {};
  // AutoMTLS: `tls.root_certificates` is the one that is trusted
  // (CheckTrusted), not what the library verifies by.
  bool is_pinned = false;
};

enum class HandshakeResult {
  kUnfinished,
  // The server speaks HTTP/2 to this client.
  kAccepted,
  kUntrusted,
  kWrongName,
  kNoHttp2,
  // The server did not want this client, or ended the connection.
  kRefusedUs,
  kNothingInCommon,
  kOther,
};

// A client's TLS handshake for HTTP/2, over bytes: what a channel with the same
// certificates would meet, told by the numbers that TLS and its library have
// for it, and by nobody's words. The curves are the library's; gRPC may offer
// fewer. Not thread-safe.
class TlsHandshake {
 public:
  explicit TlsHandshake(const TlsClient& client);
  TlsHandshake(const TlsHandshake&) = delete;
  TlsHandshake& operator=(const TlsHandshake&) = delete;

  // What is to be sent now: the ClientHello at first. "" where the certificates
  // can't be used.
  std::string TakeOutput();
  // What the server sent, and that it will send no more.
  void Feed(absl::string_view bytes);
  void End();

  HandshakeResult result() const { return result_; }

 private:
  void Advance();
  void OnFailure(int returned);
  HandshakeResult Judge() const;

  const TlsClient client_;
  OpensslPtr<SSL_CTX> context_;
  OpensslPtr<SSL> ssl_;
  // Of ssl_.
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
  bool is_connected_ = false;
  HandshakeResult result_ = HandshakeResult::kUnfinished;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TLS_HANDSHAKE_H_

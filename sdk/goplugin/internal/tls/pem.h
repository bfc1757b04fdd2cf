#ifndef GOPLUGIN_INTERNAL_TLS_PEM_H_
#define GOPLUGIN_INTERNAL_TLS_PEM_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/tls/openssl.h"

// PEM texts that the caller of the SDK provides. Never asks for a passphrase,
// as the library by itself would, on the host's terminal.

namespace goplugin::internal {

// All certificates in `pem`, at least one. Blocks of other kinds and text
// between blocks are skipped. `what` names the text in errors, which are
// kOptions.
absl::StatusOr<std::vector<OpensslPtr<X509>>> ReadCertificates(
    absl::string_view pem, absl::string_view what);

// The private key in `pem`. Errors are kOptions and quote nothing of `pem`.
absl::StatusOr<OpensslPtr<EVP_PKEY>> ReadPrivateKey(absl::string_view pem,
                                                    absl::string_view what);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TLS_PEM_H_

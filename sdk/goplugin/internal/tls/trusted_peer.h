#ifndef GOPLUGIN_INTERNAL_TLS_TRUSTED_PEER_H_
#define GOPLUGIN_INTERNAL_TLS_TRUSTED_PEER_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/tls/openssl.h"

namespace goplugin::internal {

// More than anybody has; bounds the work.
inline constexpr size_t kMostTrusted = 16;

// What the other side of a TLS handshake does.
enum class PeerRole { kServer, kClient };

// Whether the other side, which has proved in the handshake that it has the key
// of `certificate`, is whom AutoMTLS trusts: `certificate` is one of `trusted`
// or was issued by one. A server's must carry the name kServerName, too. All in
// PEM; `chain` may hold what leads from the one to the other.
//
// What TLS libraries check besides is left out. Validity: the two sides need
// not agree on the time (a host that starts in 1970 and hears of 2026 later, a
// clock that is set back, a virtual machine), and a certificate that was made
// for this one plugin is not found out to be another's by its dates. Strength:
// ParsePeerCertificate has judged the announced one's, and whom that issues is
// its own affair.
//
// Of a server that shows the announced certificate itself the name is not asked
// again: ParsePeerCertificate has judged it.
//
// At most kMostTrusted of `trusted` count. UNAUTHENTICATED, in the words that
// ExplainTlsFailure knows. Any thread.
absl::Status CheckTrusted(const std::string& trusted,
                          absl::string_view certificate,
                          absl::string_view chain, PeerRole role);

// Whether the TLS library's own verification, which looks at all that, takes
// `certificate` now, where it alone is trusted.
bool LibraryTrusts(X509* certificate, PeerRole role);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TLS_TRUSTED_PEER_H_

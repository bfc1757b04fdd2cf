#ifndef GOPLUGIN_INTERNAL_TLS_EXPLAIN_H_
#define GOPLUGIN_INTERNAL_TLS_EXPLAIN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/probe.h"

namespace goplugin::internal {

// Turns a failed connection into a status that says what is wrong with TLS, if
// something is: kTls or kServerCertificate, with gRPC's text and what the probe
// saw as evidence, and a hint that names the TlsMode that would work. The
// choice stays the caller's: nothing is downgraded here.
//
// What the probe has met decides; the text does where there was no probe, or it
// met nothing wrong. OK when neither points at TLS; the caller then has a
// connection problem of another kind.
//
// `grpc_error_message`: the error_message() of the call that failed.
// `tls_used`: whether our side spoke TLS. `probed`: what ProbeEndpoint saw;
// nullopt when it was not asked or could not connect. `announced`: the
// certificate the channel trusted, null without AutoMTLS.
//
// Pure; any thread.
absl::Status ExplainTlsFailure(const std::string& grpc_error_message,
                               bool tls_used,
                               const absl::optional<WireKind>& probed,
                               const PeerCertificate* announced);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TLS_EXPLAIN_H_

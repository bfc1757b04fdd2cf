#include "goplugin/internal/start/plugin_start.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/endpoint.h"
#include "goplugin/error.h"
#include "goplugin/internal/tls/key_pair_stock.h"

namespace goplugin::internal {
namespace {

bool UsesAutoMtls(const TlsOptions& tls) {
  return tls.mode == TlsMode::kAutoMtls ||
         tls.mode == TlsMode::kAutoMtlsIfOffered;
}

ProtocolVariables Variables(const ClientOptions& options,
                            const StartPreparation& preparation) {
  ProtocolVariables variables;
  variables.magic_cookie_key = options.handshake.magic_cookie_key;
  variables.magic_cookie_value = options.handshake.magic_cookie_value;
  variables.protocol_versions = options.handshake.protocol_versions;
  variables.min_port = options.min_port;
  variables.max_port = options.max_port;
  variables.socket_group = options.socket_group;
  variables.multiplex = options.multiplex != Multiplex::kNever;
  if (preparation.key_pair.has_value()) {
    variables.client_certificate_pem = preparation.key_pair->certificate_pem;
  }
  return variables;
}

bool Allows(const ClientOptions& options, Endpoint::Network network) {
  return std::count(options.networks.begin(), options.networks.end(), network) >
         0;
}

// The path of the directory for the plugin, "" where it can do without: where
// it may only use tcp, or may use it and there is no place for a directory.
absl::StatusOr<std::string> LendIfNeeded(const ClientOptions& options,
                                         PluginFiles& files,
                                         std::string* note) {
  if (!Allows(options, Endpoint::Network::kUnix)) return "";
  absl::StatusOr<std::shared_ptr<const Directory>> lent = files.Lend();
  if (lent.ok()) return (*lent)->path();
  const absl::optional<ErrorDetails> details = GetErrorDetails(lent.status());
  if (!Allows(options, Endpoint::Network::kTcp) || !details.has_value() ||
      details->reason != Reason::kTransport) {
    return lent.status();
  }
  *note = absl::StrCat("the plugin has to use tcp: ", lent.status().message());
  return "";
}

}  // namespace

FilesRequest FilesRequestOf(const ClientOptions& options, CallerPlaces caller) {
  FilesRequest request;
  request.place.option = options.socket_directory;
  request.place.caller = std::move(caller);
  request.group = options.socket_group;
  return request;
}

absl::StatusOr<StartPreparation> PrepareStart(const ClientOptions& options,
                                              FilesRequest files) {
  StartPreparation preparation;
  preparation.files = PluginFiles::Create(std::move(files));
  absl::StatusOr<std::string> lent =
      LendIfNeeded(options, *preparation.files, &preparation.note);
  if (!lent.ok()) return lent.status();
  if (UsesAutoMtls(options.tls)) {
    absl::StatusOr<KeyPair> key_pair = KeyPairStock::Take();
    if (!key_pair.ok()) return key_pair.status();
    preparation.key_pair = *std::move(key_pair);
  }
  preparation.variables = Variables(options, preparation);
  preparation.variables.socket_directory = *std::move(lent);
  return preparation;
}

}  // namespace goplugin::internal

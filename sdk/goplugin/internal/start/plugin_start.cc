#include "goplugin/internal/start/plugin_start.h"

#include <utility>

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
  variables.socket_directory = preparation.directory->path();
  variables.socket_group = options.socket_group;
  variables.multiplex = options.multiplex != Multiplex::kNever;
  if (preparation.key_pair.has_value()) {
    variables.client_certificate_pem = preparation.key_pair->certificate_pem;
  }
  return variables;
}

}  // namespace

absl::StatusOr<StartPreparation> PrepareStart(
    const ClientOptions& options, const absl::optional<Command::User>& user) {
  StartPreparation preparation;
  absl::StatusOr<std::unique_ptr<SocketDirectory>> directory =
      SocketDirectory::Create(options.socket_directory, options.socket_group,
                              user);
  if (!directory.ok()) return directory.status();
  preparation.directory = *std::move(directory);
  if (UsesAutoMtls(options.tls)) {
    absl::StatusOr<KeyPair> key_pair = KeyPairStock::Take();
    if (!key_pair.ok()) return key_pair.status();
    preparation.key_pair = *std::move(key_pair);
  }
  preparation.variables = Variables(options, preparation);
  return preparation;
}

}  // namespace goplugin::internal

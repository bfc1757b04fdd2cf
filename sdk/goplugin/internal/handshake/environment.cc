#include "goplugin/internal/handshake/environment.h"

#include <algorithm>
#include <cstddef>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

namespace goplugin::internal {
namespace {

constexpr absl::string_view kProtocolVersions = "PLUGIN_PROTOCOL_VERSIONS";
constexpr absl::string_view kMinPort = "PLUGIN_MIN_PORT";
constexpr absl::string_view kMaxPort = "PLUGIN_MAX_PORT";
constexpr absl::string_view kClientCert = "PLUGIN_CLIENT_CERT";
// Not of go-plugin. pyvider asks for the host's certificate only when it finds
// one here; with PLUGIN_CLIENT_CERT alone it lets every client in.
constexpr absl::string_view kClientRootCerts = "PLUGIN_CLIENT_ROOT_CERTS";
constexpr absl::string_view kMultiplex = "PLUGIN_MULTIPLEX_GRPC";
constexpr absl::string_view kSocketPrefix = "PLUGIN_UNIX_SOCKET_";
constexpr absl::string_view kSocketDir = "PLUGIN_UNIX_SOCKET_DIR";
constexpr absl::string_view kSocketGroup = "PLUGIN_UNIX_SOCKET_GROUP";

struct Variable {
  absl::string_view name;
  absl::string_view value;
};

// Splits "NAME=value"; the name is empty for anything else.
Variable SplitVariable(absl::string_view entry) {
  const size_t equals = entry.find('=');
  if (equals == absl::string_view::npos) return {};
  return {entry.substr(0, equals), entry.substr(equals + 1)};
}

bool IsProtocolVariable(absl::string_view name) {
  return name == kProtocolVersions || name == kMinPort || name == kMaxPort ||
         name == kClientCert || name == kMultiplex ||
         absl::StartsWith(name, kSocketPrefix);
}

// Variables in order, each name once.
class Environment {
 public:
  bool Has(absl::string_view name) const {
    return index_.find(name) != index_.end();
  }

  // Replaces an earlier value; the variable moves to the end.
  void Set(absl::string_view name, absl::string_view value) {
    const auto [it, added] =
        index_.try_emplace(std::string(name), entries_.size());
    if (!added) {
      entries_[it->second].clear();
      it->second = entries_.size();
    }
    entries_.push_back(absl::StrCat(name, "=", value));
  }

  std::vector<std::string> Take() && {
    entries_.erase(std::remove_if(entries_.begin(), entries_.end(),
                                  [](const auto& e) { return e.empty(); }),
                   entries_.end());
    return std::move(entries_);
  }

 private:
  // A replaced entry is empty until Take.
  std::vector<std::string> entries_;
  std::map<std::string, size_t, std::less<>> index_;
};

// The certificate that another host of this library gave to this process; ""
// when there is none. That host wrote it to both variables, so the second one
// is as stray as the first and would make the plugin ask for a key nobody has.
absl::string_view StrayCertificate(absl::Span<const std::string> inherited) {
  for (const std::string& entry : inherited) {
    const Variable variable = SplitVariable(entry);
    if (variable.name == kClientCert) return variable.value;
  }
  return "";
}

void AddInherited(absl::Span<const std::string> inherited,
                  Environment& environment) {
  const absl::string_view stray = StrayCertificate(inherited);
  for (const std::string& entry : inherited) {
    const Variable variable = SplitVariable(entry);
    if (variable.name.empty() || IsProtocolVariable(variable.name)) continue;
    if (variable.name == kClientRootCerts && !stray.empty() &&
        variable.value == stray) {
      continue;
    }
    if (!environment.Has(variable.name)) {
      environment.Set(variable.name, variable.value);
    }
  }
}

void AddProtocol(const ProtocolVariables& protocol, Environment& environment) {
  environment.Set(kProtocolVersions,
                  absl::StrJoin(protocol.protocol_versions, ","));
  environment.Set(kMinPort, absl::StrCat(protocol.min_port));
  environment.Set(kMaxPort, absl::StrCat(protocol.max_port));
  if (protocol.client_certificate_pem) {
    environment.Set(kClientCert, *protocol.client_certificate_pem);
    environment.Set(kClientRootCerts, *protocol.client_certificate_pem);
  }
  if (!protocol.socket_directory.empty()) {
    environment.Set(kSocketDir, protocol.socket_directory);
  }
  if (!protocol.socket_group.empty()) {
    environment.Set(kSocketGroup, protocol.socket_group);
  }
  if (protocol.multiplex) environment.Set(kMultiplex, "true");
  if (!protocol.magic_cookie_key.empty()) {
    environment.Set(protocol.magic_cookie_key, protocol.magic_cookie_value);
  }
}

}  // namespace

std::vector<std::string> BuildEnvironment(
    absl::Span<const std::string> inherited,
    absl::Span<const std::pair<std::string, std::string>> command,
    const ProtocolVariables& protocol) {
  Environment environment;
  AddInherited(inherited, environment);
  for (const auto& [name, value] : command) environment.Set(name, value);
  AddProtocol(protocol, environment);
  return std::move(environment).Take();
}

}  // namespace goplugin::internal

#include "goplugin/internal/start/find_plugin.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/files/caller_places.h"
#include "goplugin/internal/handshake/address.h"
#include "goplugin/internal/handshake/spelling.h"
#include "goplugin/internal/handshake/versions.h"
#include "goplugin/internal/process/held_process.h"
#include "goplugin/internal/start/held_plugin_process.h"
#include "goplugin/internal/start/options_check.h"
#include "goplugin/internal/start/plugin_start.h"
#include "goplugin/internal/start/run_plugin.h"

namespace goplugin::internal {
namespace {

absl::Status CheckNoOneTimeCertificate(const TlsOptions& tls) {
  if (tls.mode == TlsMode::kInsecure || tls.mode == TlsMode::kManual) {
    return absl::OkStatus();
  }
  return MakeError(
      Reason::kOptions,
      "AutoMTLS can't be used with a plugin that runs already: the key of the "
      "one-time certificate that it trusts is gone with the host that started "
      "it",
      "set tls.mode to TlsMode::kInsecure, or to TlsMode::kManual with "
      "certificates of your own, in the host that starts the plugin too");
}

absl::Status CheckVersion(const ReattachConfig& config,
                          const ClientOptions& options) {
  const std::vector<std::uint32_t>& ours = options.handshake.protocol_versions;
  if (ours.empty() ||
      std::count(ours.begin(), ours.end(), config.protocol_version) > 0) {
    return absl::OkStatus();
  }
  ErrorDetails details;
  details.reason = Reason::kAppVersion;
  details.what =
      absl::StrCat("the plugin serves application protocol version ",
                   config.protocol_version, ", which this host can't use");
  details.evidence = {
      absl::StrCat("this host can use ", FormatVersionSet(ours))};
  details.hint =
      absl::StrCat("use a plugin of one of these versions, or add ",
                   config.protocol_version, " to handshake.protocol_versions");
  return MakeError(details);
}

absl::Status CheckEndpoint(const Endpoint& endpoint) {
  const absl::optional<AddressProblem> problem = CheckAddress(endpoint);
  if (!problem.has_value()) return absl::OkStatus();
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = "the reattach config names no address that can be used";
  details.evidence = {Quote(endpoint.ToString()), problem->what};
  details.hint = "use the config as the plugin, or its first host, gave it";
  return MakeError(details);
}

absl::Status CheckConfig(const ReattachConfig& config,
                         const ClientOptions& options) {
  absl::Status status = CheckJoinOptions(options);
  if (status.ok()) status = CheckNoOneTimeCertificate(options.tls);
  if (status.ok()) status = CheckVersion(config, options);
  if (status.ok()) status = CheckEndpoint(config.endpoint);
  return status;
}

absl::Status CheckTarget(const std::string& target,
                         const ClientOptions& options) {
  if (target.empty() || target.find('\0') != std::string::npos) {
    return MakeError(Reason::kOptions,
                     absl::StrCat("no target to attach to: ", Quote(target)),
                     "give gRPC's name of the server, as unix:/run/kv.sock or "
                     "dns:///host:443");
  }
  if (options.handshake.protocol_versions.size() == 1) return absl::OkStatus();
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = "which version an attached plugin speaks has to be told";
  details.evidence = {
      absl::StrCat("handshake.protocol_versions: ",
                   FormatVersionSet(options.handshake.protocol_versions))};
  details.hint =
      "nothing is negotiated with it: put its one version in "
      "handshake.protocol_versions";
  return MakeError(details);
}

// The process of a plugin to reattach to.
struct ClaimedProcess {
  // nullptr: what is not seen is not signalled. Then `doubt` says why.
  MakePluginProcess make_process;
  std::string doubt = {};
  // To the socket that this is known of; null where nothing was proved of one.
  std::shared_ptr<const Way> way = nullptr;
  // What errors call the plugin; "" for its address.
  std::string name = {};
};
using ClaimProcess = std::function<absl::StatusOr<ClaimedProcess>()>;

// What is proved of a socket must be true of the one that is connected to
// afterwards, whatever is put in its place meanwhile.
absl::StatusOr<ClaimedProcess> ClaimByProof(const ReattachConfig& config) {
  const bool is_unix = config.endpoint.network == Endpoint::Network::kUnix;
  absl::StatusOr<std::shared_ptr<const Way>> way = nullptr;
  if (is_unix) way = FindWay(config.endpoint, PeerRule(), Look::kAtItsUse);
  const bool pinned = is_unix && way.ok();
  absl::StatusOr<ServerProof> proof =
      ProveServer({config.endpoint, pinned ? (*way)->endpoint().address : "",
                   config.pid, config.start_time});
  // It tells more of what can't be found.
  if (!proof.ok()) return proof.status();
  if (!way.ok()) return way.status();
  ClaimedProcess claimed;
  claimed.way = *std::move(way);
  claimed.doubt = std::move(proof->doubt);
  if (proof->process.has_value()) {
    claimed.make_process = [process = *std::move(proof->process)](
                               EventLoop& loop,
                               PluginProcess::Callbacks callbacks) mutable
        -> std::unique_ptr<PluginProcess> {
      return std::make_unique<HeldPluginProcess>(loop, std::move(process),
                                                 std::move(callbacks));
    };
  }
  return claimed;
}

absl::StatusOr<FoundPlugin> FindReattached(const ReattachConfig& config,
                                           const ClientOptions& options,
                                           const CallerPlaces& caller,
                                           const ClaimProcess& claim) {
  const absl::Status usable = CheckConfig(config, options);
  if (!usable.ok()) return usable;
  absl::StatusOr<ClaimedProcess> claimed = claim();
  if (!claimed.ok()) return claimed.status();

  FoundPlugin found;
  found.name = std::move(claimed->name);
  found.response.app_version = config.protocol_version;
  found.response.endpoint = config.endpoint;
  found.way = std::move(claimed->way);
  found.nobody_hint =
      "nobody serves there any more: the plugin has ended, or was told to";
  found.belongs_to_others = config.test;
  found.can_be_reattached = true;
  found.no_broker =
      "a plugin serves one broker stream in its life, and the host that "
      "started it had that: a reattached client has no broker";
  found.make_process = std::move(claimed->make_process);
  found.files_request = FilesRequestOf(options, caller);
  if (!claimed->doubt.empty()) {
    found.note = absl::StrCat(
        "the plugin's process can't be proved to be the one of the reattach "
        "config, and will be neither watched nor signalled: ",
        claimed->doubt);
  }
  return found;
}

absl::StatusOr<FoundPlugin> FindAttached(
    const std::string& uri,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    const ClientOptions& options, const CallerPlaces& caller) {
  absl::Status usable = CheckTarget(uri, options);
  if (usable.ok()) usable = CheckJoinOptions(options);
  if (usable.ok() && credentials == nullptr) {
    usable = CheckNoOneTimeCertificate(options.tls);
  }
  if (!usable.ok()) return usable;
  FoundPlugin found;
  found.response.app_version = options.handshake.protocol_versions.front();
  found.target = uri;
  found.credentials = credentials;
  found.belongs_to_others = !options.shutdown.ask_attached;
  found.files_request = FilesRequestOf(options, caller);
  return found;
}

}  // namespace

PluginSearch ReattachSearch(ReattachConfig config) {
  config.endpoint = Canonical(std::move(config.endpoint));
  return [config = std::move(config), caller = ReadCallerPlaces()](
             const ClientOptions& options, Pool& /*pool*/) {
    return FindReattached(config, options, caller,
                          [&config] { return ClaimByProof(config); });
  };
}

PluginSearch RunnerReattachSearch(ReattachConfig config,
                                  std::shared_ptr<Runner> runner) {
  config.endpoint = Canonical(std::move(config.endpoint));
  return
      [config = std::move(config), runner = std::move(runner),
       caller = ReadCallerPlaces()](const ClientOptions& options, Pool& pool) {
        const auto claim = [&]() -> absl::StatusOr<ClaimedProcess> {
          absl::StatusOr<RunnerPlugin> plugin =
              AttachByRunner(pool, runner, config);
          if (!plugin.ok()) return plugin.status();
          return ClaimedProcess{std::move(plugin->make_process), /*doubt=*/"",
                                /*way=*/nullptr, std::move(plugin->name)};
        };
        return FindReattached(config, options, caller, claim);
      };
}

PluginSearch AttachSearch(
    std::string target, std::shared_ptr<grpc::ChannelCredentials> credentials) {
  return [target = std::move(target), credentials = std::move(credentials),
          caller = ReadCallerPlaces()](const ClientOptions& options,
                                       Pool& /*pool*/) {
    return FindAttached(target, credentials, options, caller);
  };
}

}  // namespace goplugin::internal

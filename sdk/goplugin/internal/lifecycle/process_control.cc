#include "goplugin/internal/lifecycle/process_control.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/held_process.h"

namespace goplugin::internal {
namespace {

absl::Status NoControl(const ReadyPlugin& plugin, std::string what,
                       std::string hint) {
  ErrorDetails details;
  details.reason = Reason::kNoProcessControl;
  details.what = std::move(what);
  details.evidence = {absl::StrCat("the plugin at ", plugin.name)};
  details.hint = std::move(hint);
  return MakeError(details);
}

}  // namespace

absl::Status CheckMayKill(const ReadyPlugin& plugin,
                          const PluginProcess& process) {
  if (!process.controllable()) {
    return NoControl(plugin,
                     "the plugin's process can neither be seen nor signalled "
                     "from here",
                     "somebody else runs it: ask them, or its service "
                     "manager; Shutdown ends this client");
  }
  if (plugin.belongs_to_others) {
    return NoControl(plugin,
                     "the plugin runs in test mode: it is not this client's to "
                     "end",
                     "end it where it was started; Shutdown ends this client");
  }
  return absl::OkStatus();
}

absl::Status CheckMayDetach(const ReadyPlugin& plugin,
                            const PluginProcess& process) {
  if (plugin.may_outlive) return ReattachConfigOf(plugin, process).status();
  return MakeError(Reason::kOptions,
                   "the plugin was not started to outlive its host: it would "
                   "end with it",
                   "set Command::lifetime to Command::Lifetime::kOutlivesHost; "
                   "what a Runner has started always ends with its client");
}

absl::StatusOr<ReattachConfig> ReattachConfigOf(const ReadyPlugin& plugin,
                                                const PluginProcess& process) {
  if (plugin.in_this_process) {
    return NoControl(plugin,
                     "the plugin runs in this very process, and can neither be "
                     "left behind nor found by others",
                     "launch a real plugin where Detach and Reattach are "
                     "tested: they need a process of its own");
  }
  if (!plugin.can_be_reattached && plugin.may_outlive) {
    return NoControl(plugin,
                     "an attached plugin has no reattach config: it is known "
                     "by its target alone",
                     "use Client::Attach with the same target again");
  }
  if (plugin.multiplexed) {
    return MakeError(
        Reason::kOptions,
        "nobody else can use this plugin: its one multiplexed connection is "
        "this client's",
        "set multiplex to Multiplex::kNever");
  }
  if (!plugin.can_be_reattached) {
    return MakeError(
        Reason::kOptions,
        "nobody else can use this plugin: it trusts the one-time certificate "
        "of this client alone",
        "set tls.mode to TlsMode::kInsecure or TlsMode::kManual");
  }
  ReattachConfig config;
  config.protocol_version = plugin.response.app_version;
  config.endpoint = plugin.response.endpoint;
  config.test = plugin.belongs_to_others;
  if (process.controllable()) {
    // Not reaped before this session knows of its exit, so the number is its.
    config.pid = std::max(process.pid(), 0);
    config.start_time = ProcessStartTime(config.pid).value_or(0);
  }
  return config;
}

absl::Status GivenUpError(const absl::Status& result) {
  ErrorDetails details = GetErrorDetails(result).value_or(ErrorDetails());
  details.reason = Reason::kNoProcessControl;
  return MakeError(details);
}

absl::Status ReleasedError() {
  return MakeError(Reason::kNoProcessControl,
                   "this client let go of the plugin, and no longer sees it",
                   "reattach, or attach, to it with another client");
}

absl::Status ShutDownError() {
  return MakeError(Reason::kShutDown, "the client was shut down",
                   "make no calls after Shutdown, Kill or Detach");
}

}  // namespace goplugin::internal

#include "examples/host/report.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "examples/host/console.h"
#include "goplugin/client.h"
#include "goplugin/error.h"

namespace host {
namespace {

const char* Meaning(goplugin::LaunchPhase phase) {
  switch (phase) {
    case goplugin::LaunchPhase::kStarted:
      return "the process runs";
    case goplugin::LaunchPhase::kLine:
      return "it said where it serves";
    case goplugin::LaunchPhase::kConnected:
      return "its server answered";
    case goplugin::LaunchPhase::kReady:
      return "calls can be made";
  }
  return "";
}

}  // namespace

void ReportPhase(Console& console, goplugin::LaunchPhase phase,
                 absl::Duration since_launch) {
  console.Say("phase", absl::StrFormat("%-9s %8.1f ms  %s",
                                       goplugin::LaunchPhaseName(phase),
                                       absl::ToDoubleMilliseconds(since_launch),
                                       Meaning(phase)));
}

void ReportConnection(Console& console, const goplugin::Client& client) {
  const goplugin::Endpoint& endpoint = client.endpoint();
  console.Say("process", absl::StrCat("pid ", client.pid()));
  console.Say("protocol", absl::StrCat("version ", client.protocol_version()));
  console.Say("network", goplugin::NetworkName(endpoint.network));
  console.Say("endpoint", endpoint.address);
  console.Say("TLS", client.uses_tls() ? "yes, with one-time certificates"
                                       : "no: neither encrypted nor verified");
}

void ReportError(Console& console, const absl::Status& error) {
  const absl::optional<goplugin::ErrorDetails> details =
      goplugin::GetErrorDetails(error);
  if (!details) {
    console.Complain("error", goplugin::ToString(error), Console::Tone::kBad);
    return;
  }
  // The tail of the plugin's stderr is in the details, too. Here it was shown
  // already, entry by entry.
  console.Complain("error", details->what, Console::Tone::kBad);
  console.Complain("reason", goplugin::ReasonName(details->reason));
  for (const std::string& fact : details->evidence) {
    console.Complain("evidence", fact);
  }
  if (details->exit_status) {
    console.Complain("exit", details->exit_status->ToString());
  }
  console.Complain("hint", details->hint);
}

}  // namespace host

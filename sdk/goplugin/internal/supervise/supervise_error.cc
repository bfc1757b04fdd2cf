#include "goplugin/internal/supervise/supervise_error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

// With a code that tells more than the reason's.
absl::Status WithCode(absl::StatusCode code, const absl::Status& error) {
  absl::Status coded(code, error.message());
  error.ForEachPayload(
      [&coded](absl::string_view url, const absl::Cord& payload) {
        coded.SetPayload(url, payload);
      });
  return coded;
}

// A program that could not be started for want of something that may be there
// again: the error says which by the system's number.
bool IsForWant(const ErrorDetails& details) {
  constexpr std::array<int, 6> kWants = {EAGAIN, ENOMEM,  EMFILE,
                                         ENFILE, ETXTBSY, EINTR};
  return std::any_of(
      details.evidence.begin(), details.evidence.end(),
      [&kWants](const std::string& fact) {
        return std::any_of(kWants.begin(), kWants.end(), [&fact](int number) {
          return absl::StrContains(fact, absl::StrCat("(errno ", number, ")"));
        });
      });
}

// Every plugin library tells a person who starts it by hand that it is one, and
// a host with another cookie as well.
bool SaysThatTheCookieIsWrong(const ErrorDetails& details) {
  return absl::StrContains(details.stderr_tail, "This binary is a plugin") ||
         absl::StrContains(details.stderr_tail,
                           "not meant to be executed directly");
}

}  // namespace

absl::Status HungError(int missed, absl::Duration silence) {
  ErrorDetails details;
  details.reason = Reason::kTimeout;
  details.what = "the plugin hangs: it does not answer for its health";
  details.evidence = {
      absl::StrCat(missed, " questions in a row without an answer"),
      absl::StrCat("not heard of for ", absl::FormatDuration(silence))};
  details.hint =
      "it was ended, and is started again; HealthPolicy says how much patience "
      "a plugin gets that computes for long";
  return MakeError(details);
}

absl::Status NotPreparedError(bool prepared, absl::Duration timeout) {
  ErrorDetails details;
  details.reason = Reason::kTimeout;
  details.what = prepared ? "the plugin was prepared, and is not healthy"
                          : "the plugin was not prepared in time";
  details.evidence = {absl::StrCat("waited for ", absl::FormatDuration(timeout),
                                   " after it was launched")};
  details.hint =
      prepared ? "its health service has to say SERVING within "
                 "SupervisorOptions::prepare_timeout"
               : "SupervisorOptions::prepare has to return by its deadline: "
                 "give the calls in it that deadline, or raise prepare_timeout";
  return MakeError(details);
}

absl::Status PrepareError(const absl::Status& status) {
  if (GetErrorDetails(status).has_value()) return status;
  ErrorDetails details;
  details.what = "the plugin was launched and could not be prepared";
  details.evidence = {ToString(status)};
  details.hint = "SupervisorOptions::prepare, which is the host's, says so";
  return WithCode(status.code(), MakeError(details));
}

absl::Status VersionError(std::uint32_t expected, std::uint32_t negotiated) {
  ErrorDetails details;
  details.reason = Reason::kAppVersion;
  details.what = "the plugin speaks another application version than before";
  details.evidence = {absl::StrCat("version ", negotiated,
                                   ", and stubs are "
                                   "made for version ",
                                   expected)};
  details.hint =
      "offer that one version alone in handshake.protocol_versions, or set "
      "SupervisorOptions::allow_version_change where the host copes";
  return MakeError(details);
}

absl::Status SupervisorShutDownError() {
  return MakeError(Reason::kShutDown, "the supervisor was shut down",
                   "start another one");
}

absl::Status EndedByOthersError() {
  return MakeError(Reason::kShutDown,
                   "the plugin was ended by this host, and not by its "
                   "supervisor",
                   "it is started again: to end it, shut the supervisor down, "
                   "before Client::ShutdownAll");
}

absl::Status FactoryHangsError(absl::Duration timeout) {
  ErrorDetails details;
  details.reason = Reason::kHandshakeTimeout;
  details.what = "the runner factory did not return in time";
  details.evidence = {
      absl::StrCat("waited for ", absl::FormatDuration(timeout))};
  details.hint =
      "the cause lies in the factory, which is the host's; "
      "ClientOptions::start_timeout says how long a start may take";
  return MakeError(details);
}

absl::Status TooMuchStuckError(std::int64_t threads) {
  ErrorDetails details;
  details.reason = Reason::kResources;
  details.what = "too much of the host's own code is stuck";
  details.evidence = {
      absl::StrCat(threads, " threads have not returned from it")};
  details.hint =
      "SupervisorOptions::prepare, runner factories, on_phase, sinks, "
      "Telemetry "
      "and interceptors have to return: each that does not keeps a thread";
  return MakeError(details);
}

absl::Status OfReplica(const absl::Status& error, int replica,
                       std::uint64_t generation) {
  absl::optional<ErrorDetails> details = GetErrorDetails(error);
  if (!details.has_value()) return error;
  details->evidence.insert(
      details->evidence.begin(),
      absl::StrCat("replica ", replica, ", generation ", generation));
  return WithCode(error.code(), MakeError(*details));
}

bool IsUnhealable(const absl::Status& failure, bool by_runner) {
  const absl::optional<ErrorDetails> details = GetErrorDetails(failure);
  if (!details.has_value()) return false;
  switch (details->reason) {
    case Reason::kOptions:
    case Reason::kChecksum:
    case Reason::kCoreVersion:
    case Reason::kAppVersion:
    case Reason::kProtocol:
    case Reason::kMuxUnsupported:
    case Reason::kForked:
    case Reason::kShutDown:
      return true;
    case Reason::kSpawn:
      return !by_runner && !IsForWant(*details);
    case Reason::kExitedEarly:
      return SaysThatTheCookieIsWrong(*details);
    default:
      return false;
  }
}

}  // namespace goplugin::internal

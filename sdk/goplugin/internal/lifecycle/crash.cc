#include "goplugin/internal/lifecycle/crash.h"

#include <csignal>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "goplugin/error.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/rpc/health.h"

namespace goplugin::internal {
namespace {

std::string CrashHint(const ExitStatus& status, bool has_panic) {
  if (has_panic) {
    return "the plugin panicked: a bug in it, which the panic text locates";
  }
  switch (status.kind) {
    case ExitStatus::Kind::kUnknown:
      return "the exit status was taken by this host (it ignores SIGCHLD, or "
             "waits for any child); see the plugin's last words on stderr";
    case ExitStatus::Kind::kExited:
      return status.value == 0
                 ? "the plugin ended by itself and without an error; it should "
                   "serve until it is asked to shut down. One that ends when "
                   "its stdin does needs Command::Stdin::kPipe"
                 : "the plugin gave up by itself; its last words on stderr say "
                   "why";
    case ExitStatus::Kind::kSignalled:
      break;
  }
  switch (status.value) {
    case SIGKILL:
      return "something killed it: the kernel when memory ran out (see its "
             "log), a container's limit, or a person";
    case SIGTERM:
    case SIGINT:
    case SIGHUP:
      return "somebody sent it that signal; nobody did through this client. A "
             "service manager that stops the host stops its plugins as well, "
             "unless it is told not to (systemd: KillMode=mixed)";
    default:
      return "a bug in the plugin; its stderr, or a core file, says more";
  }
}

// What a generated stub of gRPC's makes of an answer that does not parse. A
// plugin could say the same, but has no reason to.
bool IsUnreadAnswer(const grpc::Status& call) {
  return absl::StartsWith(call.error_message(),
                          "No message returned for unary") &&
         (call.error_code() == grpc::StatusCode::UNIMPLEMENTED ||
          call.error_code() == grpc::StatusCode::INTERNAL);
}

bool MayMeanHang(const grpc::Status& call) {
  return call.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ||
         call.error_code() == grpc::StatusCode::CANCELLED;
}

}  // namespace

absl::Status CrashError(const std::string& path, const PluginProcess& process,
                        const ExitStatus& status, const PluginOutput& output) {
  ErrorDetails details;
  details.reason = Reason::kCrashed;
  details.what = absl::StrCat("the plugin ", path, " ended unasked");
  if (process.pid() > 0) {
    details.evidence.push_back(absl::StrCat("pid ", process.pid()));
  }
  if (!process.trouble().empty()) {
    details.evidence.push_back(process.trouble());
  }
  details.exit_status = status;
  output.AddEvidence(details);
  details.hint = CrashHint(status, !details.panic.empty());
  return MakeError(details);
}

absl::Status WithLoss(const absl::Status& crash, const absl::Status& lost) {
  ErrorDetails details = GetErrorDetails(crash).value_or(ErrorDetails());
  const ErrorDetails loss = GetErrorDetails(lost).value_or(ErrorDetails());
  if (lost.ok() ||
      details.exit_status != ExitStatus{ExitStatus::Kind::kExited, 0}) {
    return crash;
  }
  details.evidence.push_back(
      absl::StrCat(loss.what, ": ", absl::StrJoin(loss.evidence, "; ")));
  details.hint = absl::StrCat(loss.hint, "; ", details.hint);
  return MakeError(details);
}

absl::Status WithCall(const absl::Status& error, const grpc::Status& call) {
  ErrorDetails details = GetErrorDetails(error).value_or(ErrorDetails());
  details.evidence.push_back(
      absl::StrCat("the call: ", DescribeGrpcStatus(call)));
  return MakeError(details);
}

absl::Status CallError(const grpc::Status& call, bool seen,
                       const std::string& hang) {
  ErrorDetails details;
  details.reason = Reason::kUnknown;
  details.what =
      seen ? "the call failed and the plugin lives"
           : "the call failed, and whether the plugin lives can't be seen";
  details.evidence = {DescribeGrpcStatus(call)};
  if (!hang.empty() && MayMeanHang(call)) details.evidence.push_back(hang);
  details.hint =
      IsUnreadAnswer(call)
          ? "the answer came, and the stub could not read it: compare the "
            ".proto "
            "files of both sides. C++ refuses messages nested over 100 levels, "
            "too: call such a method with a grpc::GenericStub, and parse with "
            "a "
            "google::protobuf::io::CodedInputStream and SetRecursionLimit"
          : "this is the plugin's own answer, or the call's deadline";
  const absl::Status error = MakeError(details);
  // The call's code tells more than the reason's.
  absl::Status status(static_cast<absl::StatusCode>(call.error_code()),
                      error.message());
  error.ForEachPayload(
      [&status](absl::string_view url, const absl::Cord& payload) {
        status.SetPayload(url, payload);
      });
  return status;
}

bool MayMeanExit(const grpc::Status& call) {
  switch (call.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::CANCELLED:
      return true;
    default:
      return false;
  }
}

}  // namespace goplugin::internal

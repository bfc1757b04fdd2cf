#include "examples/inspect/inspection.h"

#include <grpcpp/support/status.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/inspect/certificate.h"
#include "examples/inspect/error.h"
#include "examples/inspect/generic_call.h"
#include "examples/inspect/plugin_output.h"
#include "examples/inspect/proto_files.h"
#include "examples/inspect/reflection.h"
#include "goplugin/client.h"

namespace inspect {
namespace {

using goplugin::Client;

// Of an answer, in bytes: as JSON or in digits it is longer, and a report has
// to fit into the memory several times.
constexpr std::size_t kMostAnswer = std::size_t{64} << 20;

std::string CodeName(const grpc::Status& status) {
  return absl::StatusCodeToString(
      static_cast<absl::StatusCode>(status.error_code()));
}

// Walks through the life of one plugin, and writes down what it sees.
class Inspection {
 public:
  explicit Inspection(Plan plan) : plan_(std::move(plan)) {}

  Report Run() {
    NoteCommand();
    Launch();
    if (client_ != nullptr) {
      NoteConnection();
      CheckHealth();
      DescribeServices();
      if (!plan_.arguments.method.empty()) CallMethod();
      Shutdown();
    }
    phases_->AddTo(&report_);
    logs_->AddTo(&report_);
    stdio_->AddTo(&report_);
    return std::move(report_);
  }

 private:
  // The first error is the one that counts: the others follow from it.
  void Fail(const absl::Status& status) {
    if (!report_.has_error()) *report_.mutable_error() = Describe(status);
  }

  void NoteCommand() {
    report_.add_command(Text(plan_.arguments.command.path));
    for (const std::string& argument : plan_.arguments.command.args) {
      report_.add_command(Text(argument));
    }
  }

  goplugin::ClientOptions Options() {
    goplugin::ClientOptions options;
    options.handshake = plan_.arguments.handshake;
    options.tls.mode = plan_.arguments.tls;
    options.multiplex = plan_.arguments.multiplex;
    options.start_timeout = plan_.arguments.timeout;
    options.log_sink = logs_;
    options.stdio_sink = stdio_;
    options.on_phase = [phases = phases_](goplugin::LaunchPhase phase,
                                          absl::Duration since_launch) {
      phases->Note(phase, since_launch);
    };
    return options;
  }

  void Launch() {
    absl::StatusOr<std::unique_ptr<Client>> launched =
        Client::Launch(plan_.arguments.command, Options());
    if (launched.ok()) {
      client_ = *std::move(launched);
    } else {
      Fail(launched.status());
    }
  }

  void NoteConnection() {
    const goplugin::HandshakeInfo handshake = client_->handshake();
    report_.set_pid(client_->pid());
    report_.set_line(Text(handshake.line));
    report_.set_version(client_->protocol_version());
    report_.set_network(goplugin::NetworkName(client_->endpoint().network));
    report_.set_address(Text(client_->endpoint().address));
    report_.set_tls(client_->uses_tls());
    report_.set_multiplexed(client_->multiplexed());
    if (!handshake.certificate_der.empty()) {
      *report_.mutable_certificate() =
          ReadCertificate(handshake.certificate_der);
    }
  }

  // A plugin without a health service, or one that does not serve now, may be
  // looked into all the same.
  void CheckHealth() {
    const absl::Status health = client_->Ping(plan_.arguments.timeout);
    report_.mutable_health()->set_serving(health.ok());
    if (health.ok()) return;
    const Error error = Describe(health);
    report_.mutable_health()->set_text(
        error.evidence().empty() ? error.what() : error.evidence(0));
    if (error.reason() != goplugin::ReasonName(goplugin::Reason::kConnect)) {
      Fail(health);
    }
  }

  void DescribeServices() {
    if (plan_.schema == nullptr) {
      Description description;
      const grpc::Status status =
          Reflect(client_->channel(), plan_.arguments.timeout, &description);
      if (status.ok()) {
        plan_.schema = std::make_unique<Schema>(std::move(description));
      } else {
        NoReflection(status);
        return;
      }
    }
    report_.set_described_by(Text(plan_.schema->source()));
    for (const Service& service : plan_.schema->Services()) {
      *report_.add_services() = service;
    }
  }

  void NoReflection(const grpc::Status& status) {
    std::string missing = "the plugin has no server reflection";
    if (status.error_code() != grpc::StatusCode::UNIMPLEMENTED) {
      missing = absl::StrCat("server reflection failed: ", CodeName(status),
                             " ", Text(status.error_message()));
    }
    report_.set_undescribed(missing);
  }

  absl::Status MakeRequest() {
    if (plan_.request.has_value()) return absl::OkStatus();
    if (plan_.schema == nullptr) {
      return MakeStatus(
          kNoReflection,
          absl::StrCat("nobody describes ", plan_.arguments.method, ": ",
                       report_.undescribed()),
          "describe it with --proto FILE or --descriptor-set FILE, or give the "
          "request as bytes with --hex; plugins in C++ get reflection from "
          "goplugin::EnableServerReflection()");
    }
    absl::StatusOr<std::string> request = plan_.schema->EncodeRequest(
        plan_.arguments.method, plan_.arguments.json.value_or("{}"));
    if (request.ok()) plan_.request = *std::move(request);
    return request.status();
  }

  void CallMethod() {
    const absl::Status made = MakeRequest();
    if (!made.ok()) return Fail(made);
    Call* call = report_.mutable_call();
    call->set_method(plan_.arguments.method);
    const absl::Time start = absl::Now();
    std::string answer;
    const grpc::Status status =
        CallUnary(client_->channel(), absl::StrCat("/", plan_.arguments.method),
                  *plan_.request, plan_.arguments.timeout, &answer);
    call->set_milliseconds(absl::ToDoubleMilliseconds(absl::Now() - start));
    call->set_code(CodeName(status));
    call->set_message(Text(status.error_message()));
    if (!status.ok()) return Fail(WhyCallFailed(status));
    NoteAnswer(answer, call);
  }

  // What became of the plugin, if it died of it; else what it answered.
  absl::Status WhyCallFailed(const grpc::Status& status) {
    const absl::Status explained = client_->Explain(status);
    const auto details = goplugin::GetErrorDetails(explained);
    if (details.has_value() && details->reason != goplugin::Reason::kUnknown) {
      return explained;
    }
    Error error;
    error.set_reason(kCallFailed);
    error.set_what(absl::StrCat("the call of ", plan_.arguments.method,
                                " failed, and the plugin lives"));
    error.add_evidence(absl::StrCat("gRPC said ", CodeName(status), " \"",
                                    Text(status.error_message()), "\""));
    error.set_hint(HintFor(status));
    return MakeStatus(error);
  }

  static const char* HintFor(const grpc::Status& status) {
    switch (status.error_code()) {
      case grpc::StatusCode::UNIMPLEMENTED:
        return "the plugin has no such method: compare with its services, and "
               "with those of its other protocol versions";
      case grpc::StatusCode::DEADLINE_EXCEEDED:
        return "it did not answer in time: a longer --timeout, or a look at "
               "its logs";
      default:
        return "this is the plugin's own answer: change the request, or see "
               "its logs";
    }
  }

  void NoteAnswer(const std::string& answer, Call* call) {
    if (answer.size() > kMostAnswer) return Fail(LargeAnswer(answer));
    if (plan_.arguments.bytes.has_value()) {
      call->set_answer_hex(absl::BytesToHexString(answer));
      return;
    }
    absl::StatusOr<std::string> json =
        plan_.schema->DecodeAnswer(plan_.arguments.method, answer);
    if (json.ok()) return call->set_answer(*std::move(json));
    call->set_answer_hex(absl::BytesToHexString(answer));
    Fail(json.status());
  }

  static absl::Status LargeAnswer(const std::string& answer) {
    return MakeStatus(
        kLargeAnswer,
        absl::StrCat("the answer has ", answer.size(),
                     " bytes, more than can be shown"),
        absl::StrCat("inspect shows up to ", kMostAnswer,
                     "; call this one from a program with a generated stub"));
  }

  // Client::Shutdown would do, but this callback comes after the last log
  // entry.
  void Shutdown() {
    absl::Status result;
    absl::Notification done;
    client_->ShutdownAsync([&](absl::Status status) {
      result = std::move(status);
      done.Notify();
    });
    done.WaitForNotification();
    if (!result.ok()) Fail(result);
    const absl::optional<goplugin::ExitStatus> status = client_->exit_status();
    if (!status.has_value()) return;
    Exit* exit = report_.mutable_exit();
    exit->set_text(status->ToString());
    if (status->kind == goplugin::ExitStatus::Kind::kExited) {
      exit->set_code(status->value);
    } else if (status->kind == goplugin::ExitStatus::Kind::kSignalled) {
      exit->set_signal(status->value);
    }
  }

  Plan plan_;
  Report report_;
  const std::shared_ptr<PhaseKeeper> phases_ = std::make_shared<PhaseKeeper>();
  const std::shared_ptr<LogKeeper> logs_ = std::make_shared<LogKeeper>();
  const std::shared_ptr<StdioKeeper> stdio_ = std::make_shared<StdioKeeper>();
  std::unique_ptr<Client> client_;
};

absl::StatusOr<Description> ReadFiles(const Arguments& arguments) {
  return arguments.proto_file.empty()
             ? ReadDescriptorSet(arguments.descriptor_set)
             : ReadProtoFile(arguments.proto_file);
}

}  // namespace

absl::StatusOr<Plan> MakePlan(Arguments arguments) {
  Plan plan;
  plan.arguments = std::move(arguments);
  plan.request = plan.arguments.bytes;
  if (plan.arguments.proto_file.empty() &&
      plan.arguments.descriptor_set.empty()) {
    return plan;
  }
  absl::StatusOr<Description> description = ReadFiles(plan.arguments);
  if (!description.ok()) return description.status();
  plan.schema = std::make_unique<Schema>(*std::move(description));
  if (plan.arguments.method.empty() || plan.request.has_value()) return plan;
  absl::StatusOr<std::string> request = plan.schema->EncodeRequest(
      plan.arguments.method, plan.arguments.json.value_or("{}"));
  if (!request.ok()) return request.status();
  plan.request = *std::move(request);
  return plan;
}

Report Inspect(Plan plan) { return Inspection(std::move(plan)).Run(); }

}  // namespace inspect

#include "examples/inspect/print.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "examples/inspect/error.h"
#include "examples/inspect/json_values.h"
#include "examples/inspect/message_json.h"

namespace inspect {
namespace {

constexpr int kTagWidth = 13;

std::string Printable(absl::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const std::size_t control = text.front() == '\t' ? 0 : ControlSize(text);
    printable += control == 0 ? text.front() : '?';
    text.remove_prefix(control == 0 ? 1 : control);
  }
  return printable;
}

// Collects lines. Facts that are not there are left out.
class Lines {
 public:
  void Add(absl::string_view tag, absl::string_view text) {
    if (text.empty()) return;
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      if (line.empty()) continue;
      absl::StrAppendFormat(&text_, "%-*s%s\n", kTagWidth, tag,
                            Printable(line));
      tag = "";
    }
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string Milliseconds(double milliseconds) {
  return absl::StrFormat("%.1f ms", milliseconds);
}

// The certificate is shown apart.
std::string ShortLine(const std::string& line) {
  constexpr std::size_t kCertificate = 5;
  constexpr std::size_t kMost = 16;
  std::vector<std::string> fields = absl::StrSplit(line, '|');
  if (fields.size() > kCertificate && fields[kCertificate].size() > kMost) {
    fields[kCertificate].resize(kMost);
    fields[kCertificate] += "...";
  }
  return absl::StrJoin(fields, "|");
}

void PrintConnection(const Report& report, Lines& lines) {
  lines.Add("plugin", absl::StrJoin(report.command(), " "));
  for (const Phase& phase : report.phases()) {
    lines.Add("phase", absl::StrFormat("%-9s %10s", phase.name(),
                                       Milliseconds(phase.milliseconds())));
  }
  lines.Add("line", ShortLine(report.line()));
  if (report.has_pid()) lines.Add("pid", absl::StrCat(report.pid()));
  if (report.has_version())
    lines.Add("version", absl::StrCat(report.version()));
  lines.Add("network", report.network());
  lines.Add("address", report.address());
  if (report.has_tls()) {
    lines.Add("TLS",
              report.tls() ? "yes" : "no: neither encrypted nor verified");
  }
  if (report.multiplexed()) lines.Add("multiplexed", "yes");
}

void PrintCertificate(const Certificate& certificate, Lines& lines) {
  lines.Add("certificate", certificate.unreadable());
  lines.Add("certificate", certificate.key());
  lines.Add("  subject", certificate.subject());
  lines.Add("  names", absl::StrJoin(certificate.dns_names(), ", "));
  if (!certificate.not_before().empty()) {
    lines.Add("  valid", absl::StrCat(certificate.not_before(), " to ",
                                      certificate.not_after()));
  }
}

std::string MethodText(const Method& method) {
  return absl::StrCat(
      method.name(), "(", method.client_streaming() ? "stream " : "",
      method.request(), ") -> ", method.server_streaming() ? "stream " : "",
      method.response());
}

void PrintServices(const Report& report, Lines& lines) {
  lines.Add("services", report.undescribed());
  if (!report.described_by().empty()) {
    lines.Add("services", absl::StrCat("by ", report.described_by()));
  }
  for (const Service& service : report.services()) {
    lines.Add("service",
              absl::StrCat(service.name(),
                           service.undescribed() ? " (not described)" : ""));
    for (const Method& method : service.methods()) {
      lines.Add("  method", MethodText(method));
    }
  }
}

void PrintCall(const Call& call, Lines& lines) {
  lines.Add("call", absl::StrCat(call.method(), "  ",
                                 Milliseconds(call.milliseconds())));
  lines.Add("code", call.code());
  lines.Add("message", call.message());
  if (call.has_answer()) lines.Add("answer", call.answer());
  if (call.has_answer_hex()) {
    lines.Add("answer",
              call.answer_hex().empty() ? "no bytes" : call.answer_hex());
  }
}

std::string LogText(const LogEntry& entry) {
  std::string text = absl::StrFormat("%-5s  ", entry.level());
  if (!entry.module().empty()) absl::StrAppend(&text, entry.module(), ": ");
  absl::StrAppend(&text, entry.message());
  const std::map<std::string, std::string> fields(entry.fields().begin(),
                                                  entry.fields().end());
  for (const auto& field : fields) {
    absl::StrAppend(&text, "  ", field.first, "=",
                    absl::Utf8SafeCEscape(field.second));
  }
  return text;
}

void PrintOutput(const Report& report, Lines& lines) {
  if (report.logs_left_out() > 0) {
    lines.Add("log",
              absl::StrCat("(", report.logs_left_out(), " entries before)"));
  }
  for (const LogEntry& entry : report.logs()) {
    lines.Add(entry.sdk() ? "sdk" : "log", LogText(entry));
  }
  for (const Output& output : report.output()) {
    lines.Add(output.stream(), output.text());
  }
}

void PrintError(const Error& error, Lines& lines) {
  lines.Add("error", error.what());
  lines.Add("reason", error.reason());
  for (const std::string& fact : error.evidence()) lines.Add("evidence", fact);
  lines.Add("exit", error.exit());
  lines.Add("panic", error.panic());
  lines.Add("hint", error.hint());
}

}  // namespace

std::string PrintText(const Report& report) {
  Lines lines;
  PrintConnection(report, lines);
  PrintCertificate(report.certificate(), lines);
  if (report.has_health()) {
    lines.Add("health",
              report.health().serving() ? "serving" : report.health().text());
  }
  PrintServices(report, lines);
  if (report.has_call()) PrintCall(report.call(), lines);
  PrintOutput(report, lines);
  lines.Add("exit", report.exit().text());
  if (report.has_error()) PrintError(report.error(), lines);
  return lines.text();
}

std::string PrintJson(const Report& report) {
  google::protobuf::DynamicMessageFactory messages;
  JsonOptions options;
  options.proto_names = true;
  options.raw = Call::descriptor()->FindFieldByName("answer");
  options.most = SIZE_MAX;
  const absl::StatusOr<std::string> json = MessageAsJson(
      report.SerializeAsString(), *Report::descriptor(), messages, options);
  return json.ok() ? Indented(*json) : "";
}

std::string Print(const Report& report, Arguments::Format format,
                  std::size_t most) {
  // Protobuf would log it, and print another report.
  if (report.ByteSizeLong() > most) return "";
  std::string text = format == Arguments::Format::kJson ? PrintJson(report)
                                                        : PrintText(report);
  if (text.empty() || text.back() != '\n') text.push_back('\n');
  return text;
}

}  // namespace inspect

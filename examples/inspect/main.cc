// Starts a go-plugin plugin of any language, and shows what can be seen of it.
// See README.md.

#include <cstdio>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/inspect/arguments.h"
#include "examples/inspect/error.h"
#include "examples/inspect/inspection.h"
#include "examples/inspect/print.h"

namespace inspect {
namespace {

constexpr int kAnswered = 0;
constexpr int kPluginFailed = 1;
constexpr int kWrongUsage = 2;

// False when not all of it has arrived.
bool Write(std::FILE* stream, const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stream) == text.size() &&
         std::fflush(stream) == 0;
}

// A mistake of the user's: on stderr for people, on stdout for programs.
int Refuse(const absl::Status& status, Arguments::Format format) {
  Report report;
  *report.mutable_error() = Describe(status);
  Write(format == Arguments::Format::kJson ? stdout : stderr,
        Print(report, format));
  return kWrongUsage;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  const absl::Status parsed = ParseArguments(argc, argv, &arguments);
  const Arguments::Format format = arguments.format;
  if (!parsed.ok()) return Refuse(parsed, format);
  if (arguments.help) {
    std::fputs(kUsage, stdout);
    return kAnswered;
  }
  absl::StatusOr<Plan> plan = MakePlan(std::move(arguments));
  if (!plan.ok()) return Refuse(plan.status(), format);
  const Report report = Inspect(*std::move(plan));
  const std::string text = Print(report, format);
  if (text.empty()) {
    std::fputs("inspect: the report is too large to be printed\n", stderr);
    return kPluginFailed;
  }
  if (!Write(stdout, text)) {
    std::perror("inspect: the report can't be written");
    return kPluginFailed;
  }
  return report.has_error() ? kPluginFailed : kAnswered;
}

}  // namespace
}  // namespace inspect

int main(int argc, char** argv) { return inspect::Main(argc, argv); }

#ifndef TESTS_SUPPORT_INSPECT_INSPECT_RUN_H_
#define TESTS_SUPPORT_INSPECT_INSPECT_RUN_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/conformance/run_host.h"

namespace goplugin::testing {

// One run of examples/inspect, as from a shell.
struct InspectCommand {
  // What stands before "--", but for --format.
  std::vector<std::string> options;
  // The plugin and its arguments.
  std::vector<std::string> plugin;
  std::string working_directory;
  std::string output_file;
};

// Runs it with --format text.
HostResult InspectAsText(const InspectCommand& command);

// Runs it with --format json. Its stdout must be one JSON object, and its exit
// code the one that fits it: 0 without an error.
class InspectReport {
 public:
  explicit InspectReport(const InspectCommand& command);

  int exit_code() const { return exit_code_; }
  // By JSON pointer: see HostReport.
  std::string Text(const std::string& pointer) const {
    return report_->Text(pointer);
  }
  int Number(const std::string& pointer) const {
    return report_->Number(pointer);
  }
  bool Flag(const std::string& pointer) const { return report_->Flag(pointer); }
  // Whether there is such a value, of whatever kind.
  bool Has(const std::string& pointer) const { return report_->Has(pointer); }

  // The evidence of the error, a line each.
  std::string Evidence() const { return Join("/error/evidence", ""); }
  // The names of all services, a line each.
  std::string Services() const { return Join("/services", "/name"); }
  // "Get(proto.GetRequest) -> proto.GetResponse" and so on, a line each.
  std::string Methods(const std::string& service) const;
  // The messages of all log entries, a line each.
  std::string Logs() const { return Join("/logs", "/message"); }
  const std::string& output() const { return output_; }

 private:
  std::string Join(const std::string& list, const std::string& member) const;

  int exit_code_;
  std::string output_;
  std::unique_ptr<HostReport> report_;
};

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_INSPECT_INSPECT_RUN_H_

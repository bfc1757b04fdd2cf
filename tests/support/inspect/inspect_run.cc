#include "tests/support/inspect/inspect_run.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

HostResult Run(const InspectCommand& command, const std::string& format) {
  HostCommand run;
  run.argv = {RunfilePath("examples/inspect/inspect"), "--format", format};
  run.argv.insert(run.argv.end(), command.options.begin(),
                  command.options.end());
  run.argv.emplace_back("--");
  run.argv.insert(run.argv.end(), command.plugin.begin(), command.plugin.end());
  run.working_directory = command.working_directory;
  run.output_file = command.output_file;
  return RunHost(run);
}

}  // namespace

HostResult InspectAsText(const InspectCommand& command) {
  return Run(command, "text");
}

InspectReport::InspectReport(const InspectCommand& command) {
  const HostResult result = Run(command, "json");
  exit_code_ = result.exit_code;
  output_ = result.output;
  report_ = std::make_unique<HostReport>(output_);
  EXPECT_TRUE(report_->valid()) << output_;
  EXPECT_EQ(exit_code_ == 0, !Has("/error")) << exit_code_ << output_;
}

std::string InspectReport::Join(const std::string& list,
                                const std::string& member) const {
  std::string all;
  for (int i = 0; Has(absl::StrCat(list, "/", i)); ++i) {
    absl::StrAppend(&all, Text(absl::StrCat(list, "/", i, member)), "\n");
  }
  return all;
}

std::string InspectReport::Methods(const std::string& service) const {
  std::string all;
  for (int i = 0; Has(absl::StrCat("/services/", i)); ++i) {
    if (Text(absl::StrCat("/services/", i, "/name")) != service) continue;
    const std::string methods = absl::StrCat("/services/", i, "/methods/");
    for (int j = 0; Has(absl::StrCat(methods, j)); ++j) {
      const std::string method = absl::StrCat(methods, j);
      absl::StrAppend(&all, Text(method + "/name"), "(",
                      Text(method + "/request"), ") -> ",
                      Flag(method + "/server_streaming") ? "stream " : "",
                      Text(method + "/response"), "\n");
    }
  }
  return all;
}

}  // namespace goplugin::testing

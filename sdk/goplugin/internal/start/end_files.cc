#include "goplugin/internal/start/end_files.h"

#include <string>

#include "goplugin/internal/files/time_limit.h"
#include "goplugin/log_sink.h"

namespace goplugin::internal {

void EndFiles(PluginFiles& files, PluginOutput& output) {
  const Removal removal = files.RemoveSome(TimeLimit(kRemovalWait));
  std::string leftover = files.leftover();
  if (!leftover.empty()) output.Note(LogLevel::kWarn, std::move(leftover));
  if (removal == Removal::kMore) {
    output.Note(LogLevel::kWarn,
                "the plugin's files are too many to be removed at once: the "
                "rest is left to the next launch");
  } else if (removal == Removal::kStuck) {
    output.Note(LogLevel::kWarn,
                "something in the plugin's directory can't be removed: "
                "another user's directory, or a mount");
  }
}

}  // namespace goplugin::internal

#ifndef GOPLUGIN_INTERNAL_LOG_GLOG_LINE_H_
#define GOPLUGIN_INTERNAL_LOG_GLOG_LINE_H_

#include "absl/strings/string_view.h"
#include "goplugin/log_sink.h"

namespace goplugin::internal {

// Fills `entry` from a line of glog, Abseil, klog or gRPC:
//   W0102 15:04:05.678901  123 file.cc:12] text
// The day may have its year in front of it; without one the entry gets no
// timestamp. False, and nothing done, for any other line.
bool ParseGlogLine(absl::string_view line, LogEntry* entry);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_GLOG_LINE_H_

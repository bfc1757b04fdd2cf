#ifndef GOPLUGIN_INTERNAL_LOG_TEXT_LINE_H_
#define GOPLUGIN_INTERNAL_LOG_TEXT_LINE_H_

#include "absl/strings/string_view.h"
#include "goplugin/log_sink.h"

namespace goplugin::internal {

// Fills a new `entry` from a line that is not JSON. Known forms:
//   [WARN] text                                     also after a timestamp
//   2024-01-02T15:04:05.000Z [INFO]  module: text: key=value         hclog
//   2024-01-02 15:04:05 [warning  ] text   [logger] key=value        structlog
//   [2024-01-02T15:04:05Z INFO  target] text                         env_logger
//   2024-01-02T15:04:05.000Z  INFO text                              tracing
//   2024-01-02 15:04:05,000 - name - WARNING - text                  Python
//   W0102 15:04:05.678901  123 file.cc:12] text     glog, Abseil, klog, gRPC
//   WARNING: text, ERROR:name:text
//   level=info msg="text" key=value                 logfmt: logrus, slog
// Of other lines the timestamp, if any, and the text are taken.
//
// True when the line told its level.
bool ParseTextLine(absl::string_view line, LogEntry* entry);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_TEXT_LINE_H_

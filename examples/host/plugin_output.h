#ifndef EXAMPLES_HOST_PLUGIN_OUTPUT_H_
#define EXAMPLES_HOST_PLUGIN_OUTPUT_H_

#include <memory>
#include <string>

#include "examples/host/console.h"
#include "goplugin/log_sink.h"

namespace host {

// Shows the plugin's log entries, and remarks of the SDK itself.
std::shared_ptr<goplugin::LogSink> MakeLogPrinter(
    std::shared_ptr<Console> console);

// Shows what the plugin prints, whole lines at a time. The SDK never calls
// Write twice at once for one client, so the lines need no lock.
class StdioPrinter final : public goplugin::StdioSink {
 public:
  explicit StdioPrinter(std::shared_ptr<Console> console);
  // Shows what came without a newline.
  ~StdioPrinter() override;
  void Write(const goplugin::StdioChunk& chunk) override;

 private:
  // The unfinished line of one stream.
  struct Stream {
    const char* name;
    std::string line = {};
  };

  Stream& StreamOf(const goplugin::StdioChunk& chunk);
  void Finish(Stream& stream);

  const std::shared_ptr<Console> console_;
  Stream stdout_{"stdout"};
  Stream stderr_{"stderr"};
  // Straight from descriptor 1, past GRPCStdio: what programs print that do not
  // use go-plugin's stdio service.
  Stream raw_{"stdout"};
};

}  // namespace host

#endif  // EXAMPLES_HOST_PLUGIN_OUTPUT_H_

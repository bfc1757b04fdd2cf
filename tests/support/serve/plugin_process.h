#ifndef GOPLUGIN_TESTS_SUPPORT_SERVE_PLUGIN_PROCESS_H_
#define GOPLUGIN_TESTS_SUPPORT_SERVE_PLUGIN_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "goplugin/internal/process/unique_fd.h"

namespace goplugin {

// A plugin started without the SDK's help, as any host might: its stdout and
// stderr are pipes, its environment is `environment` and nothing else. Killed
// and reaped by the destructor. Reads give up after half a minute.
class PluginProcess {
 public:
  PluginProcess(const std::string& program,
                const std::map<std::string, std::string>& environment)
      : PluginProcess(std::vector<std::string>{program}, environment) {}
  // Program and arguments; looked up in PATH.
  PluginProcess(std::vector<std::string> command,
                const std::map<std::string, std::string>& environment);
  ~PluginProcess();

  PluginProcess(const PluginProcess&) = delete;
  PluginProcess& operator=(const PluginProcess&) = delete;

  // The next line of stdout, without its newline; what there is at the end.
  std::string ReadLine();
  // The fields of the next line.
  std::vector<std::string> ReadFields();

  void Signal(int signal);

  // Closes this side of its stdout and stderr, as a host that is gone has.
  void CloseOutputs();

  // The exit code once the plugin has ended, 128 + n for signal n; -1 when it
  // does not end. Afterwards the rest of both pipes is here:
  int Wait();
  const std::string& rest_of_stdout() const { return stdout_text_; }
  const std::string& stderr_text() const { return stderr_text_; }

  pid_t pid() const { return pid_; }

 private:
  // Takes what comes next from either pipe; false when both are at their end or
  // nothing comes.
  bool Read();

  pid_t pid_ = -1;
  internal::UniqueFd stdout_;
  internal::UniqueFd stderr_;
  std::string stdout_text_;
  std::string stderr_text_;
};

}  // namespace goplugin

#endif  // GOPLUGIN_TESTS_SUPPORT_SERVE_PLUGIN_PROCESS_H_

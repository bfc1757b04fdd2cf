#ifndef GOPLUGIN_TESTS_SUPPORT_SERVE_FOREIGN_HOST_H_
#define GOPLUGIN_TESTS_SUPPORT_SERVE_FOREIGN_HOST_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace goplugin {

// A host that has no care for its plugin's end: a process of its own that
// starts a command, as PluginProcess does, reads the line and does no more.
// What it leaves behind becomes this process's child. Killed by the destructor.
class ForeignHost {
 public:
  ForeignHost(std::vector<std::string> command,
              const std::map<std::string, std::string>& environment);
  ~ForeignHost() { Kill(); }
  ForeignHost(const ForeignHost&) = delete;
  ForeignHost& operator=(const ForeignHost&) = delete;

  // The fields of the plugin's line.
  const std::vector<std::string>& line() const { return line_; }

  // By SIGKILL.
  void Kill();

 private:
  pid_t pid_ = -1;
  std::vector<std::string> line_;
};

// Waits for the end of the child processes that this one has, at most so long.
// Their exit codes, 128 + n for signal n. Those that live on are told of as -1,
// one for all, and killed.
std::vector<int> AwaitChildren(double seconds);

}  // namespace goplugin

#endif  // GOPLUGIN_TESTS_SUPPORT_SERVE_FOREIGN_HOST_H_

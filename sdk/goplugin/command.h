#ifndef GOPLUGIN_COMMAND_H_
#define GOPLUGIN_COMMAND_H_

#include <string>
#include <utility>
#include <vector>

namespace goplugin {

// The program to start, and how. A plain value, checked by Client::Launch.
//
// Never run by a shell: `args` reach the program byte for byte.
//
// Example:
//   goplugin::Command command{"./kv-plugin"};
//   command.args = {"--data", "/var/lib/kv"};
//   command.env = {{"KV_TRACE", "1"}};
struct Command {
  // What the child's descriptor 0 is.
  enum class Stdin {
    kDevNull,  // reads see the end of the file at once
    kInherit,  // the host's own
  };
  // Which process group the child joins.
  enum class ProcessGroup {
    kShared,  // the host's: a terminal's Ctrl-C reaches the plugin too (stock
              // plugins ignore it)
    kOwn,  // a new one, led by the plugin: signals of the shutdown ladder reach
           // its children too
  };

  // The program's file. Relative paths start at the host's current directory,
  // not at `working_directory`. Without a slash it is a file of the current
  // directory, unless `search_path` is set.
  std::string path;
  // Arguments after argv[0], which is `path`.
  std::vector<std::string> args = {};
  // Variables for the child, in place of inherited ones of the same name. Names
  // may be neither empty nor hold '=' or NUL. The protocol's own variables (the
  // magic cookie, PLUGIN_PROTOCOL_VERSIONS, PLUGIN_CLIENT_CERT, ...) win over
  // these.
  std::vector<std::pair<std::string, std::string>> env = {};
  // Start from the host's environment. go-plugin's own PLUGIN_* variables
  // (which a host that is itself a plugin carries) are removed either way.
  // False: the child sees only `env` and the protocol's variables.
  bool inherit_env = true;
  // The child's current directory. Empty: the host's.
  std::string working_directory = {};
  // Look `path` up in the host's PATH when it holds no slash.
  bool search_path = false;
  Stdin stdin_mode = Stdin::kDevNull;
  ProcessGroup process_group = ProcessGroup::kShared;
};

}  // namespace goplugin

#endif  // GOPLUGIN_COMMAND_H_

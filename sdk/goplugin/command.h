#ifndef GOPLUGIN_COMMAND_H_
#define GOPLUGIN_COMMAND_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/optional.h"
#include "goplugin/secure_config.h"

namespace goplugin {

// The program to start, and how. A plain value, checked by Client::Launch.
//
// What is the host's here is the calling thread's, as it is at the call of
// Launch or LaunchAsync: the current directory, PATH, the environment, the
// processors it may run on, its scheduling policy and nice value. The last
// three are given as far as the kernel allows; a log entry says what is not.
// Signals get their default action, but for HUP, INT and QUIT that were ignored
// when this library was loaded and still are not at their default.
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
    // A pipe that nothing is written to, open while the plugin is to run. Its
    // end is the first, polite step of a shutdown, before the Shutdown call,
    // and comes when the host dies as well: for plugins that end when their
    // stdin does, as language servers do. Not with kOutlivesHost.
    kPipe,
  };
  // Which process group the child joins.
  enum class ProcessGroup {
    kShared,  // the host's: a terminal's Ctrl-C reaches the plugin too (stock
              // plugins ignore it). Signals of the shutdown ladder reach what
              // descends from the plugin, as far as /proc tells
    kOwn,     // a new one, led by the plugin: those signals reach all of it
  };
  // How long the plugin may live.
  enum class Lifetime {
    kDiesWithHost,  // ended by its client; if the host dies, by the kernel
    // Ended by its client, or left running by Client::Detach and by a host that
    // dies. Its stdout is a file without a name beside its sockets, its
    // stderr `stderr_file`: pipes would end it by SIGPIPE, or stop it, once
    // nobody reads them. What it prints on them reaches this host's sinks a
    // little later (0.2 s at most), while the host lives. go-plugin's servers
    // print nothing there after their line; the file of one that does grows.
    // Use ProcessGroup::kOwn where a terminal's hangup must not reach it.
    kOutlivesHost,
  };

  // Whom the child runs as: all three together, so that none is left over from
  // the host.
  struct User {
    static constexpr std::uint32_t kUnset = UINT32_MAX;
    std::uint32_t uid = kUnset;
    std::uint32_t gid = kUnset;
    // The supplementary groups, all of them.
    std::vector<std::uint32_t> groups = {};
  };
  // As for setrlimit.
  struct ResourceLimit {
    static constexpr std::uint64_t kUnlimited = UINT64_MAX;
    int resource = -1;  // RLIMIT_NOFILE and the like, of <sys/resource.h>
    std::uint64_t soft = kUnlimited;
    std::uint64_t hard = kUnlimited;
  };
  // A descriptor of the host, and its number in the child.
  struct Descriptor {
    int host = -1;
    int child = -1;  // 3 or more
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
  Lifetime lifetime = Lifetime::kDiesWithHost;
  // kOutlivesHost only: the file that the plugin's stderr is appended to, made
  // with mode 0600 if need be. A regular file or a link to one: anything else
  // is an error. A relative path starts at the caller's current directory.
  // Empty: /dev/null, and then errors can't quote its last words.
  std::string stderr_file = {};

  // Which bytes the program must consist of. Unset: whatever the file holds.
  absl::optional<SecureConfig> secure_config = absl::nullopt;

  // The rest is done to the child in this order, after its stdio and process
  // group and before the program runs. Nothing of it touches the host. What
  // can't be done is an error of Reason::kSpawn that names the step.

  // Control groups to join, as absolute paths of their directories: one of
  // cgroup v2, or one for each v1 hierarchy.
  std::vector<std::string> cgroups = {};
  // Resource limits. Those not named are the host's.
  std::vector<ResourceLimit> resource_limits = {};
  // Added to the caller's nice value: 1 to 19 for less of the processor,
  // negative values (with the right to it) for more.
  int nice = 0;
  // Another user. The program starts with its ids, the groups named here and no
  // others, no capability, and no descriptor of the host's but those named; its
  // environment is what `env` and `inherit_env` make it, so HOME and USER are
  // the host's unless they are set. Takes root or CAP_SETUID, CAP_SETGID,
  // CAP_CHOWN (its socket directory is given to that user) and CAP_KILL; a host
  // that is not root also needs ClientOptions::socket_group to reach the
  // plugin's socket. The program and `working_directory` must be open to that
  // user. Unset: the host's.
  //
  // Changing credentials in memory shared with the host would mark the host as
  // not dumpable, so this alone makes the start a fork: it takes 5 to 10 ms
  // more for each GB that the host uses.
  absl::optional<User> user = absl::nullopt;
  // No setuid program or file capability raises the rights of the child or of
  // what it starts, ever.
  bool no_new_privileges = false;
  // Descriptors that the child gets besides 0, 1 and 2. They stay the caller's,
  // who keeps them open until the launch is over.
  std::vector<Descriptor> descriptors = {};
};

}  // namespace goplugin

#endif  // GOPLUGIN_COMMAND_H_

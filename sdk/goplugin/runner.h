#ifndef GOPLUGIN_RUNNER_H_
#define GOPLUGIN_RUNNER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/exit_status.h"
#include "goplugin/reattach.h"

namespace goplugin {

// What a runner needs of the SDK to start its plugin. A plain value.
struct RunnerRequest {
  // The protocol's variables, "NAME=value" each, all of which the plugin must
  // get. Nothing of the host's own environment: what else the plugin needs is
  // the runner's to add.
  std::vector<std::string> environment;
  // The host's private directory for the plugin's and the broker's sockets; it
  // is there, and is removed after the plugin's end. The plugin must find it,
  // writable, at the path that PlaceSocketDirectory gave for it. Empty where
  // there is none, and PlaceSocketDirectory is not called: the plugin may only
  // use tcp (ClientOptions::networks), or no place for a directory is left.
  std::string socket_directory;
  // Start should have returned by then. May be InfiniteDuration, as
  // ClientOptions::start_timeout may.
  absl::Duration timeout;
};

// What a runner has started or attached to. The descriptors become the SDK's,
// which closes them, and makes them non-blocking and close-on-exec.
struct RunnerProcess {
  // The read ends of the plugin's output: pipes, sockets or files; not the same
  // one. Start must give both. Attach may leave them out: what the plugin
  // writes there is not seen then.
  int stdout_fd = -1;
  int stderr_fd = -1;
  // Becomes readable, as poll(2) has it, when the plugin has ended: a pidfd, an
  // eventfd, the end of a pipe. Required. Nothing is read from it, no thread
  // waits for it.
  int exit_fd = -1;
  // A container's id, or the like, for errors. May be empty.
  std::string id = {};
};

// The user's own way to start a plugin, in a container or a sandbox, for
// Client::Launch, or to take hold of one that runs already, for
// Client::Reattach. One object has one plugin.
//
// Example: examples/runner, which starts plugins under bubblewrap.
//
// Thread safety: each method says who calls it. The translations may be called
// on many threads at once and beside everything else; all others are called one
// at a time, but Diagnose may run beside Wait and Kill.
// Blocking: every method may block, which holds up its own client alone, whose
// deadlines hold all the same: what Start brings after its launch has ended is
// killed. What takes long, as fetching an image, is better done before. No
// method may call blocking methods of a client or its broker.
// Lifetime: shared; the SDK lets go of it after the client's end. Nothing but
// Name is called before PlaceSocketDirectory and Start, or Attach.
// Errors: any status, whose code does not matter; its text becomes evidence of
// the SDK's own error.
class Runner {
 public:
  virtual ~Runner() = default;

  // What errors call it: "bubblewrap", "docker". Called on any thread; must not
  // block.
  virtual std::string Name() const = 0;

  // Where the plugin will find `directory`, the request's socket directory: an
  // absolute path, at most 107 bytes with a socket's name. Called once at most,
  // just before Start and on its thread.
  virtual absl::StatusOr<std::string> PlaceSocketDirectory(
      const std::string& directory) {
    return directory;
  }

  // Starts the plugin. After an error nothing of it may be left.
  // Called once, on a thread that lives as long as any client does: a death
  // signal that a child gets from here (PR_SET_PDEATHSIG) means the host's end.
  // All signals are blocked on it, which a child must undo. An error ends the
  // launch with Reason::kSpawn.
  virtual absl::StatusOr<RunnerProcess> Start(const RunnerRequest& request) = 0;

  // Takes hold of a plugin that runs already, in place of Start and on the same
  // thread. `config` is what Reattach was given. Called once; Reattach waits
  // for it until its start_timeout. An error ends that with
  // Reason::kReattachNotFound, and leaves the plugin as it is.
  virtual absl::StatusOr<RunnerProcess> Attach(
      const ReattachConfig& /*config*/) {
    return absl::UnimplementedError("this runner only starts plugins");
  }

  // How the plugin ended. Called once, on a thread of the SDK's pool, when
  // exit_fd was readable; must not wait for anything else, and Kill may have to
  // wait for it. After an error the plugin is taken for gone, its exit status
  // for unknown, and Kill is called.
  virtual absl::StatusOr<ExitStatus> Wait() = 0;

  // Ends the plugin at once and with all that belongs to it. Called on a thread
  // of the pool, when a launch fails, and in place of SIGTERM and SIGKILL
  // when a client ends (not one that has reattached in test mode); on Start's
  // thread, when what Start gave can't be used; again, maybe, after an error;
  // also when the plugin is gone already. May block for a moment:
  // ShutdownOptions::kill_timeout after the call, a plugin that is still there
  // is given up.
  virtual absl::Status Kill() = 0;

  // What the runner knows of a launch that failed, for a person: one line or a
  // few. Called once at most: on Start's thread when that or Attach failed, on
  // a thread of the pool when the plugin has not become ready. May block for a
  // moment; more than a second after the plugin's end it is not waited for.
  virtual std::string Diagnose() { return ""; }

  // Where this host reaches what the plugin calls `endpoint`: the address of
  // its handshake line, and those that its broker announces. Called on a thread
  // of the pool, or on the caller's in Broker::Dial; may block for a
  // moment. An error ends launch or dial with Reason::kTransport.
  virtual absl::StatusOr<Endpoint> PluginToHost(
      const Endpoint& endpoint) const {
    return endpoint;
  }

  // The other way: where the plugin reaches what this host calls `endpoint`, a
  // socket in the socket directory or a port of the host's broker. Called on
  // the caller's thread, in AcceptAndServe and Announce; as PluginToHost.
  virtual absl::StatusOr<Endpoint> HostToPlugin(
      const Endpoint& endpoint) const {
    return endpoint;
  }
};

}  // namespace goplugin

#endif  // GOPLUGIN_RUNNER_H_

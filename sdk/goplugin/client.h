#ifndef GOPLUGIN_CLIENT_H_
#define GOPLUGIN_CLIENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/status.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "goplugin/broker.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"
#include "goplugin/endpoint.h"
#include "goplugin/error.h"
#include "goplugin/exit_status.h"
#include "goplugin/handshake_info.h"
#include "goplugin/launch_operation.h"
#include "goplugin/reattach.h"
#include "goplugin/runner.h"

namespace goplugin {

namespace internal {
class Session;
}  // namespace internal
namespace testing {
class InProcessPlugin;
}  // namespace testing

// A running plugin: its process, its channel, its logs, and its orderly end.
//
// Example:
//   absl::StatusOr<std::unique_ptr<goplugin::Client>> client =
//       goplugin::Client::Launch(goplugin::Command{"./kv-plugin"}, options);
//   if (!client.ok()) return client.status();
//   std::unique_ptr<proto::KV::Stub> kv = (*client)->NewStub<proto::KV>();
//   grpc::Status put = kv->Put(&context, request, &response);
//   absl::Status bye = (*client)->Shutdown();
//
// Thread safety: every method may be called from any thread at any time, but
// for the destructor, which must be the last. Methods that block answer
// Reason::kWrongThread when called from a callback of this library.
//
// Lifetime: stubs and channels may outlive the client; their calls fail once
// the plugin is gone. A launched plugin never outlives the client, nor the
// process it was launched from (SIGKILL included), unless its command says so.
//
// Callbacks: what LaunchAsync and its like, ShutdownAsync, OnExit and
// ExplainAsync are given is called once, on a thread of this library's, for one
// client in order and never two at a time. It may block: up to 256 of as many
// clients do so before those of others have to wait. Three errors are told by
// the method itself, on the caller's thread and before it returns: kForked in a
// forked child, kShutDown once the process exits, kResources where the system
// gives no thread.
//
// Fork: in a child of a process that has used this library, methods that give a
// status fail with Reason::kForked at once, those that launch too, and the
// destructor does nothing: the plugin belongs to the parent. Exec first.
//
// Exit: when main returns or exit() is called, clients and launches that are
// left are ended within the times of their ShutdownOptions, and nothing of the
// host's is called any more, callbacks of launches and sinks included; methods
// then answer kShutDown. After _exit, quick_exit or a signal the kernel ends
// the plugins, and the next launch of this user removes what they left; so it
// does with what a Runner was lent whose Start had not returned.
//
// Errors: see error.h; each status has a reason, evidence and a hint. Nothing
// throws.
class Client {
 public:
  using LaunchCallback =
      absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<Client>>) &&>;

  // Starts the plugin and waits until it is ready, at most
  // options.start_timeout; then, or when it fails before, what was started is
  // ended first: moments, or shutdown.kill_timeout and 4 s where something is
  // stuck. When it fails, nothing is left: no process, no descriptor, no file.
  // What a file system or a Runner that is stuck brings later is ended as it
  // comes.
  static absl::StatusOr<std::unique_ptr<Client>> Launch(Command command,
                                                        ClientOptions options);

  // The same without blocking. What Launch would have returned, errors in the
  // options and a Cancel included, goes to `done`, or to LaunchOperation::Wait
  // where there is none. `done` is called once, on a thread as said above and
  // maybe before this has returned. What depends on the caller (environment,
  // working directory, PATH, processors) is read before this returns.
  static LaunchOperation LaunchAsync(Command command, ClientOptions options,
                                     LaunchCallback done = nullptr);

  // The same with a plugin that `runner` starts: see runner.h. Shutdown and the
  // destructor ask the plugin to go, and then call the runner's Kill in place
  // of signals. pid() is -1, endpoint() is where this host reaches the plugin.
  static absl::StatusOr<std::unique_ptr<Client>> Launch(
      std::shared_ptr<Runner> runner, ClientOptions options);
  static LaunchOperation LaunchAsync(std::shared_ptr<Runner> runner,
                                     ClientOptions options,
                                     LaunchCallback done = nullptr);

  // Takes over a plugin that runs already: started by another host, which let
  // go of it (Detach), or by hand in test mode. Waits until it is ready, at
  // most options.start_timeout.
  //
  // The plugin's process must be the one that the config names, and is proved
  // to be: for a unix socket the kernel says who serves there; for tcp the
  // config's start time is held against the process's, or, where it has none,
  // its open sockets are looked up in /proc. From then on it is held by a
  // process descriptor: a number that the kernel has given to somebody else
  // since is neither signalled nor waited for. Where nothing can be proved (the
  // plugin runs in another pid namespace, or is reached by tcp from elsewhere)
  // the plugin can be used, but not watched or killed, and the log says so.
  //
  // What is different: its raw stdout and stderr are not seen, its exit code
  // mostly is not (ExitStatus::kUnknown), and there is no broker. Of
  // options.handshake only protocol_versions is looked at: when not empty, it
  // must hold the config's. TLS must be kInsecure or kManual.
  //
  // Shutdown, Kill and the destructor end the plugin as a launched one, unless
  // config.test is set: then only the channel is dropped.
  //
  // Errors: kReattachNotFound (the plugin is gone, or somebody else is there,
  // or neither was known within start_timeout; nothing was sent to it),
  // kResources (no thread was free to look within that time), kTransport (a
  // file that is no socket), kOptions, kMuxUnsupported, kAppVersion, kConnect
  // (also when its health was not checked within start_timeout), kTls.
  static absl::StatusOr<std::unique_ptr<Client>> Reattach(
      ReattachConfig config, ClientOptions options);
  static LaunchOperation ReattachAsync(ReattachConfig config,
                                       ClientOptions options,
                                       LaunchCallback done = nullptr);

  // The same with a plugin that `runner` takes hold of, by Runner::Attach: in a
  // container, on another machine. The runner's word takes the place of all
  // proof; of `config` it may read what it likes, and config.endpoint is where
  // this host reaches the plugin. The runner's Kill comes in place of signals,
  // its Wait tells the exit, and the output that it gives is seen. pid() is -1.
  static absl::StatusOr<std::unique_ptr<Client>> Reattach(
      ReattachConfig config, std::shared_ptr<Runner> runner,
      ClientOptions options);
  static LaunchOperation ReattachAsync(ReattachConfig config,
                                       std::shared_ptr<Runner> runner,
                                       ClientOptions options,
                                       LaunchCallback done = nullptr);

  // Connects to a plugin that somebody else runs: a sidecar, a container, a
  // service. `target` is any target of gRPC's, as "unix:/shared/kv.sock",
  // "dns:///kv:50051", "ipv4:10.0.0.7:50051", or of a resolver that this
  // program has registered. Waits until it is ready, at most
  // options.start_timeout.
  //
  // Stubs, health, stdio and broker work. What needs the process does not:
  // pid() is -1, and Kill, WaitForExit and reattach_config answer
  // kNoProcessControl. Shutdown and the destructor drop the channel only, or
  // with options.shutdown.ask_attached ask the plugin to exit as well. A
  // connection that is lost is made again by gRPC, but not its stdio.
  //
  // options.handshake.protocol_versions must hold the one version that the
  // plugin speaks: nothing is negotiated. TLS is that of options.tls, kInsecure
  // or kManual (an empty server_name is the target's own name, or "localhost"
  // where that is a path or an address); or `credentials`, any of gRPC's, which
  // then count alone.
  //
  // Errors: kOptions, kMuxUnsupported, kConnect, kTls, kResources (no free
  // thread within start_timeout), kReattachNotFound (its channel was not made
  // within that time: an interceptor factory is stuck).
  static absl::StatusOr<std::unique_ptr<Client>> Attach(std::string target,
                                                        ClientOptions options);
  static absl::StatusOr<std::unique_ptr<Client>> Attach(
      std::string target, std::shared_ptr<grpc::ChannelCredentials> credentials,
      ClientOptions options);
  static LaunchOperation AttachAsync(
      std::string target, std::shared_ptr<grpc::ChannelCredentials> credentials,
      ClientOptions options, LaunchCallback done = nullptr);

  // Runs Shutdown if that was not done, and waits for it: at most
  // options.shutdown.Total() + 3 s, or 4 s more where a file system or an
  // interceptor is stuck. On a callback thread it only starts it.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // A stub of a generated service: NewStub<proto::KV>() gives a
  // std::unique_ptr<proto::KV::Stub>.
  template <typename Service>
  std::unique_ptr<typename Service::Stub> NewStub() const {
    return Service::NewStub(channel());
  }

  // The channel to the plugin, shared with it; never null.
  std::shared_ptr<grpc::Channel> channel() const;

  // Further connections to the plugin, in both directions. Always there; of a
  // plugin without a broker, Dial and AcceptAndServe fail with
  // kBrokerUnsupported. Lives as long as the client.
  Broker& broker() const;

  // Asks the plugin's health service whether it serves. Errors: kTimeout,
  // kConnect (not serving, or no health service: the evidence says which),
  // kCrashed, kShutDown. As with every wait here, InfiniteDuration is no
  // deadline (until the plugin's end), and one of 0 or less has passed:
  // kTimeout at once.
  //
  // One that stays unanswered for 2 s may be the first sign of a plugin that
  // answers few calls at once: its output over GRPCStdio is then not read any
  // more, if that helps it, and an entry and Explain tell so.
  absl::Status Ping(absl::Duration timeout = absl::Seconds(5)) const;

  // Ends the plugin by the ladder of ShutdownOptions: the end of its stdin if
  // that is a pipe, its Shutdown call, SIGTERM, SIGKILL, and returns when it is
  // gone and swept up. May be called often: later calls wait for, and return,
  // the result of the first. Errors: kShutdownForced when the plugin did not go
  // by itself (it is gone all the same, but where the text says that not even
  // SIGKILL helped), kCrashed when it had ended before (but not by SIGTERM,
  // SIGINT or SIGHUP in the last 5 s: whatever stops this host stops its
  // plugins, too), kNoProcessControl when an attached plugin did not take the
  // call.
  absl::Status Shutdown();
  // The same without blocking; `done` is called exactly once, after every log
  // entry and OnExit callback.
  void ShutdownAsync(absl::AnyInvocable<void(absl::Status) &&> done);
  // Shuts all clients down at the same time; null ones are skipped. Those still
  // running after `deadline`, at once when it is 0 or less, are killed. Returns
  // the first error that this shutdown met, with the plugin's name and pid: a
  // plugin that had ended before is OnExit's to tell.
  static absl::Status ShutdownAll(absl::Span<Client* const> clients,
                                  absl::Duration deadline);
  static absl::Status ShutdownAll(
      absl::Span<const std::unique_ptr<Client>> clients,
      absl::Duration deadline);
  // The same for every client of this process that has not ended. Launches
  // under way are cancelled.
  static absl::Status ShutdownAll(absl::Duration deadline);
  // SIGKILL at once, and waits until the plugin is gone and swept up. Errors:
  // kNoProcessControl when the process is out of reach or not this client's to
  // end; then nothing has changed. kShutdownForced when it is still there after
  // shutdown.kill_timeout; kCrashed when it had ended before.
  absl::Status Kill();

  // How another client, of this process or another, finds the plugin. For a
  // host to keep while it lives, too: if it is killed, a plugin of
  // Command::Lifetime::kOutlivesHost lives on. Errors: kOptions under AutoMTLS,
  // kNoProcessControl for an attached plugin.
  absl::StatusOr<ReattachConfig> reattach_config() const;
  // Lets go of the plugin, which runs on with its socket in place, and ends
  // this client: its methods answer as after a Shutdown. Whether the plugin
  // itself stays without a host is its own matter (of this library's Serve:
  // ServeOptions::outlives_host). Errors: those of reattach_config, and
  // kOptions for a plugin that would end with its host; then nothing has
  // changed. kCrashed or kShutDown when the plugin has ended.
  absl::StatusOr<ReattachConfig> Detach();

  // The negotiated application protocol version.
  std::uint32_t protocol_version() const;
  // -1 when the process is out of reach.
  pid_t pid() const;
  // What the plugin announced. Of an attached one: its target, where that is a
  // path or an address; else kTcp, and the whole target as the address.
  const Endpoint& endpoint() const;
  // The rest of it: the line itself, the certificate.
  HandshakeInfo handshake() const;
  const LaunchTimings& timings() const;
  // True when the connection is secured by TLS.
  bool uses_tls() const;
  // True when all connections go over one: see ClientOptions::multiplex.
  bool multiplexed() const;

  // Whether the process has ended, for whatever reason. Never blocks.
  bool exited() const;
  // How it ended; nullopt while it runs.
  absl::optional<ExitStatus> exit_status() const;
  // Waits for the end of the process. With a timeout of 0 or less it only
  // looks. Errors: kTimeout, kNoProcessControl.
  absl::StatusOr<ExitStatus> WaitForExit(absl::Duration timeout) const;
  // `callback` is called exactly once, after the last log entry; also when the
  // process has ended already. The status is OK after a Shutdown or Kill of
  // this client, kNoProcessControl when the client ended and the plugin may
  // live on (let go, or given up after SIGKILL), else an error of
  // Reason::kCrashed with panic text and stderr tail.
  void OnExit(absl::AnyInvocable<void(ExitStatus, absl::Status) &&> callback);

  // Says why a call failed: waits up to a second for the plugin's exit, and
  // answers with Reason kCrashed, signal or code, panic text and stderr tail
  // when there was one. For a plugin that lives on, the call's own error in
  // this library's form. OK for an OK status.
  absl::Status Explain(const grpc::Status& status) const;
  // The same without blocking, for callbacks and async calls: `done` gets what
  // Explain would have returned.
  void ExplainAsync(grpc::Status status,
                    absl::AnyInvocable<void(absl::Status) &&> done) const;

 private:
  friend class internal::Session;
  friend class testing::InProcessPlugin;
  explicit Client(std::shared_ptr<internal::Session> session);

  static absl::StatusOr<std::unique_ptr<Client>> Start(
      absl::StatusOr<std::shared_ptr<internal::Session>> created);
  static LaunchOperation StartAsync(
      absl::StatusOr<std::shared_ptr<internal::Session>> created,
      LaunchCallback done);

  std::shared_ptr<internal::Session> session_;
};

}  // namespace goplugin

#endif  // GOPLUGIN_CLIENT_H_

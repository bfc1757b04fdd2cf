#ifndef GOPLUGIN_SUPERVISOR_H_
#define GOPLUGIN_SUPERVISOR_H_

#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/client.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"
#include "goplugin/launch_operation.h"
#include "goplugin/runner.h"
#include "goplugin/supervisor_options.h"
#include "goplugin/supervisor_status.h"

namespace goplugin {

namespace internal {
class Driver;
struct Source;
}  // namespace internal

// Where a supervised plugin comes from, again and again. A value; copies share
// what they hold.
//
// What of a start depends on the caller of Client::Launch is read anew at each
// one, on a thread of this library's: the environment and the current directory
// are those that the process has then, processors and scheduling those that it
// was started with. Give absolute paths where the host changes its directory.
class SupervisorSource {
 public:
  // Makes a runner for one plugin: each has but one in its life. Called for
  // each start on a thread of this library's, for several replicas at once; may
  // block, which counts as a part of options.start_timeout. An error, null, or
  // none in time is a failed start. One that is late may return after the
  // supervisor's end: what it uses must live as long, by shared_ptr. Its runner
  // is not started then.
  using RunnerFactory =
      std::function<absl::StatusOr<std::shared_ptr<Runner>>()>;

  // A program. Implicit, so that a Command will do.
  // NOLINTNEXTLINE(google-explicit-constructor)
  SupervisorSource(const Command& command);
  // The host's own way to start one.
  explicit SupervisorSource(const RunnerFactory& make_runner);
  // A plugin that somebody else runs, as Client::Attach has it. It is not
  // started or ended: its health is watched, and a connection that hangs is
  // made anew. `credentials`, if not null, count in place of options.tls.
  static SupervisorSource Attach(
      std::string target,
      std::shared_ptr<grpc::ChannelCredentials> credentials = nullptr);

  // Any other way to a client: begins it, as Client::LaunchAsync does, with the
  // options as they are given here, and has `done` called once, on whatever
  // thread. Called as RunnerFactory is, but must not block.
  // testing::InProcessPlugins is one.
  using LaunchFunction = std::function<LaunchOperation(
      ClientOptions options, Client::LaunchCallback done)>;
  static SupervisorSource FromLaunch(LaunchFunction launch);

 private:
  friend class Supervisor;
  explicit SupervisorSource(internal::Source source);

  std::shared_ptr<const internal::Source> source_;
};

// A plugin that is always there: starts it, watches it, starts it again when it
// dies or hangs, replaces it by a new version, over as many processes as it
// takes. The host holds one stub, which stays valid.
//
// Example:
//   goplugin::SupervisorOptions supervision;
//   supervision.replicas = 4;
//   absl::StatusOr<std::unique_ptr<goplugin::Supervisor>> plugin =
//       goplugin::Supervisor::Start(goplugin::Command{"/opt/kv/kv-plugin"},
//                                   options, supervision);
//   if (!plugin.ok()) return plugin.status();
//   std::unique_ptr<proto::KV::Stub> kv = (*plugin)->NewStub<proto::KV>();
//   ...
//   absl::Status upgraded =
//       (*plugin)->Replace(goplugin::Command{"/opt/kv/kv-plugin-v2"});
//
// The rules, with a picture of the states: sdk/goplugin/supervision.md.
//
// Thread safety: every method may be called from any thread at any time, but
// for the destructor, which must be the last. Methods that block answer
// Reason::kWrongThread when called from a callback of this library.
//
// Lifetime: stubs and channels may outlive the supervisor; their calls then
// fail with UNAVAILABLE. Clients that client() has given may, too; their plugin
// is gone. It has no thread of its own; those of clients do its work.
//
// Callbacks: what StartAsync and its like, OnState and OnGeneration are given
// is called on a thread of this library's, for one supervisor in order and
// never two at a time. It may block, which delays the next one alone. It may
// destroy the supervisor, which then ends by itself. Once the process exits
// none is begun any more. A null one is nothing to call.
//
// Fork, exit: as of a Client. Supervised plugins are among those that
// Client::ShutdownAll(deadline) ends, which counts as a failure here: shut the
// supervisor down first.
//
// Errors: see error.h; each status has a reason, evidence and a hint, those of
// one replica its number and generation. Nothing throws.
class Supervisor {
 public:
  using StartCallback =
      absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<Supervisor>>) &&>;

  // Starts all replicas and waits until each is prepared, at most
  // options.start_timeout, supervision.prepare_timeout and what an end takes.
  // When one fails, its error is returned and nothing is left. With
  // StartMode::kLazy only the options are checked. `options` hold for each
  // client; entries of their log_sink have the fields "replica" and
  // "generation" besides their own.
  static absl::StatusOr<std::unique_ptr<Supervisor>> Start(
      const SupervisorSource& source, ClientOptions options,
      SupervisorOptions supervision = {});
  // The same without blocking. Destroying the supervisor in `done` is fine.
  static void StartAsync(const SupervisorSource& source, ClientOptions options,
                         SupervisorOptions supervision, StartCallback done);

  // Runs Shutdown if that was not done, and waits for it: at most what
  // Client's takes for the slowest replica. On a callback thread it only starts
  // it.
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // A stub of a generated service, made once and kept for good:
  // NewStub<proto::KV>() gives a std::unique_ptr<proto::KV::Stub>.
  template <typename Service>
  std::unique_ptr<typename Service::Stub> NewStub() const {
    return Service::NewStub(channel());
  }

  // For stubs of any kind, generic ones too; never null. Its connectivity state
  // is IDLE while the next call would start the plugin; to ask for it starts
  // nothing, unless it is asked to connect.
  //
  // A call goes to the
  // replica with fewer calls under way of two picked at random, as a call of
  // that replica's own channel. One that finds none waits or fails as
  // SupervisorOptions::unavailable says; its error has the state and the last
  // failure. A call under way on a process that ends fails as gRPC says, but
  // for retry_safe_methods.
  //
  // Calls that have waited, and those of retry_safe_methods, are made again as
  // bytes: their peer() and auth_context() are this library's own, interceptors
  // see messages as bytes, and metadata of an answer that gRPC would not send
  // (keys or text values that are not printable ASCII) is left out.
  std::shared_ptr<grpc::ChannelInterface> channel() const;

  // The client of replica `replica`, or of the first that is in use for -1:
  // for its broker, pid and endpoint. Null when that takes no calls. It is one
  // generation's: brokered ids die with it. To end it is this supervisor's
  // affair, and a failure when somebody else does.
  std::shared_ptr<Client> client(int replica = -1) const;

  // Puts the plugin of `source` in the place of this one: starts the new
  // process beside the old one, waits until it is ready, prepared and healthy,
  // moves new calls over, lets those under way end (drain_timeout), and ends
  // the old one. Replicas one after the other. Returns when all are replaced
  // and the old ones gone.
  //
  // When a new one fails, its error is returned and nothing has changed: those
  // that were replaced before go back in the same way. It is no failure that
  // the breaker counts. A success closes the breaker.
  //
  // A Replace or Restart while another one is under way waits for it. Errors:
  // those of Client::Launch and of prepare; kTimeout (not prepared, or not
  // healthy), kAppVersion, kCrashed (died while others were replaced),
  // kShutDown.
  absl::Status Replace(SupervisorSource source);
  void ReplaceAsync(SupervisorSource source,
                    absl::AnyInvocable<void(absl::Status) &&> done);

  // Ends each replica and starts it again, one after the other, each as soon as
  // its calls have ended (drain_timeout): the old process is gone before the
  // new one is there. Closes the breaker. Returns when all are up; at once for
  // a plugin that is stopped, and stays so. Errors: the first failure of a new
  // one, after which the policy goes on; kShutDown.
  absl::Status Restart();
  void RestartAsync(absl::AnyInvocable<void(absl::Status) &&> done);

  // Changes the number of replicas, and does not wait for it: see OnState. The
  // highest go first; their calls under way may end (drain_timeout). Errors:
  // kOptions.
  absl::Status Scale(int replicas);

  // Ends all replicas by their ladders, whatever state they are in, and returns
  // when they are gone. Calls under way are not waited for; nothing is started
  // any more. May be called often. Errors: the first of Client::Shutdown's, but
  // for a replica that dies by itself meanwhile: see Status.
  absl::Status Shutdown();
  void ShutdownAsync(absl::AnyInvocable<void(absl::Status) &&> done);

  // How it is. Never blocks.
  SupervisorStatus Status() const;

  // `callback` is called with the state as it is, and at each change; the
  // status is the last failure, OK when there was none. States that are over
  // when their turn comes are told all the same.
  void OnState(
      std::function<void(SupervisorState, const absl::Status&)> callback);

  // `callback` is called for each replica that takes calls, and for each that
  // takes some from then on: a new generation, or one that its health service
  // had taken out of use. What it does with the client runs beside the first
  // calls: SupervisorOptions::prepare comes before.
  void OnGeneration(std::function<void(int replica, std::uint64_t generation,
                                       const std::shared_ptr<Client>& client)>
                        callback);

  // Says why a call on channel() failed: waits up to a second for the failure
  // that may be behind it, and answers with that; else with the call's own
  // code, as Client::Explain does of a plugin that lives. OK for an OK status.
  absl::Status Explain(const grpc::Status& status) const;

 private:
  explicit Supervisor(std::shared_ptr<internal::Driver> driver);
  static absl::StatusOr<std::shared_ptr<internal::Driver>> Create(
      const SupervisorSource& source, ClientOptions options,
      SupervisorOptions supervision);

  std::shared_ptr<internal::Driver> driver_;
};

}  // namespace goplugin

#endif  // GOPLUGIN_SUPERVISOR_H_

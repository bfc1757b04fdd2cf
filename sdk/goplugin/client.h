#ifndef GOPLUGIN_CLIENT_H_
#define GOPLUGIN_CLIENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
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

namespace goplugin {

namespace internal {
class Session;
}  // namespace internal

// A launch under way, from Client::LaunchAsync. Dropping it does not stop the
// launch.
class LaunchOperation {
 public:
  LaunchOperation() = default;

  // Ends the launch: what was started is killed and swept, and the callback
  // gets an error of Reason::kCancelled. Without effect once the callback was
  // called. Thread-safe, never blocks.
  void Cancel();

 private:
  friend class Client;
  explicit LaunchOperation(std::weak_ptr<internal::Session> session)
      : session_(std::move(session)) {}

  std::weak_ptr<internal::Session> session_;
};

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
// Lifetime: stubs and channels may outlive the client; their calls fail once
// the plugin is gone. The plugin never outlives the client, nor the process it
// was launched from (SIGKILL included).
// Fork: in a child that the host forked, methods fail with Reason::kForked and
// the destructor does nothing: the plugin belongs to the parent.
// Errors: see error.h; each status has a reason, evidence and a hint. Nothing
// throws.
class Client {
 public:
  using LaunchCallback =
      absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<Client>>) &&>;

  // Starts the plugin and waits until it is ready, at most
  // options.start_timeout. When it fails, nothing is left: no process, no
  // descriptor, no file.
  static absl::StatusOr<std::unique_ptr<Client>> Launch(Command command,
                                                        ClientOptions options);

  // The same without blocking. `done` is called exactly once, on a callback
  // thread, also when the operation is cancelled; never before LaunchAsync
  // returns its operation to a caller on another thread would notice.
  static LaunchOperation LaunchAsync(Command command, ClientOptions options,
                                     LaunchCallback done);

  // Runs Shutdown if that was not done, and waits for it: at most
  // options.shutdown.Total() + 1 s. On a callback thread it only starts it.
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
  // kCrashed, kShutDown.
  absl::Status Ping(absl::Duration timeout = absl::Seconds(5)) const;

  // Ends the plugin by the ladder of ShutdownOptions: its Shutdown call,
  // SIGTERM, SIGKILL, and returns when it is gone and swept up. May be called
  // often: later calls wait for, and return, the result of the first. Errors:
  // kShutdownForced when the plugin did not go by itself (it is gone all the
  // same).
  absl::Status Shutdown();
  // The same without blocking; `done` is called exactly once, on a callback
  // thread, after every log entry and OnExit callback.
  void ShutdownAsync(absl::AnyInvocable<void(absl::Status) &&> done);
  // Shuts all clients down at the same time. Those still running after
  // `deadline` are killed. Returns the first error.
  static absl::Status ShutdownAll(absl::Span<Client* const> clients,
                                  absl::Duration deadline);
  static absl::Status ShutdownAll(
      absl::Span<const std::unique_ptr<Client>> clients,
      absl::Duration deadline);
  // SIGKILL at once, and waits until the plugin is gone and swept up.
  absl::Status Kill();

  // The negotiated application protocol version.
  std::uint32_t protocol_version() const;
  pid_t pid() const;
  // What the plugin announced.
  const Endpoint& endpoint() const;
  // The rest of it: the line itself, the certificate.
  HandshakeInfo handshake() const;
  const LaunchTimings& timings() const;
  // True when the connection is secured by TLS.
  bool uses_tls() const;

  // Whether the process has ended, for whatever reason. Never blocks.
  bool exited() const;
  // How it ended; nullopt while it runs.
  absl::optional<ExitStatus> exit_status() const;
  // Waits for the end of the process. Errors: kTimeout.
  absl::StatusOr<ExitStatus> WaitForExit(absl::Duration timeout) const;
  // `callback` is called exactly once on a callback thread, after the last log
  // entry; also when the process has ended already. The status is OK after a
  // Shutdown or Kill of this client, else an error of Reason::kCrashed with
  // panic text and stderr tail.
  void OnExit(absl::AnyInvocable<void(ExitStatus, absl::Status) &&> callback);

  // Says why a call failed: waits up to a second for the plugin's exit, and
  // answers with Reason kCrashed, signal or code, panic text and stderr tail
  // when there was one. For a plugin that lives on, the call's own error in
  // this library's form. OK for an OK status.
  absl::Status Explain(const grpc::Status& status) const;

 private:
  friend class internal::Session;
  explicit Client(std::shared_ptr<internal::Session> session);

  std::shared_ptr<internal::Session> session_;
};

}  // namespace goplugin

#endif  // GOPLUGIN_CLIENT_H_

#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_LAUNCH_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_LAUNCH_H_

#include <grpcpp/channel.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/endpoint.h"
#include "goplugin/error.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/broker/broker_core.h"
#include "goplugin/internal/connect/approach.h"
#include "goplugin/internal/connect/connector.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/handshake/line_reader.h"
#include "goplugin/internal/lifecycle/plugin_source.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/start/plugin_output.h"
#include "goplugin/internal/start/plugin_start.h"
#include "goplugin/internal/tls/certificate.h"

namespace goplugin::internal {

// The way from a plugin's start to a ready plugin:
//   start -> handshake line -> address -> security -> channel -> connected
// or, from anywhere on it, to an error that is told once everything that was
// started is gone. Lives on the loop's thread, but for Start, in a shared_ptr.
class Launch final : public PluginSource,
                     public std::enable_shared_from_this<Launch> {
 public:
  Launch(const SourceContext& context, PluginStart start);

  void Start(Done done) override;
  void Cancel() override;

 private:
  void StartTimers();
  void StartPlugin();
  void OnStarted(absl::StatusOr<StartedPlugin> started, absl::Duration when);
  PluginProcess::Callbacks ProcessCallbacks();
  void OnStdout(absl::string_view bytes);
  void OnStdoutEnd();
  void OnExit();
  void OnSlowStart();
  void OnDeadline();
  void AfterReading(HandshakeReader::State state);
  void FinishReading(HandshakeReader::End end);
  void OnLine(const HandshakeResponse& response);
  void Translate(const Endpoint& announced);
  void OnAddress(const absl::StatusOr<Endpoint>& address);
  // Looks at what is at the address, before anything is sent there.
  void LookThere(bool multiplexed);
  void OnLooked(absl::StatusOr<Approach> found, bool multiplexed);
  // Whether all is to go over one connection.
  absl::StatusOr<bool> Multiplexes() const;
  absl::Status OpenMux();
  void OnMuxEnd(const absl::Status& status);
  void Connect(const HandshakeResponse& response, bool multiplexed);
  void OnConnected(const absl::Status& status, Connector::Serving serving);
  void OnPrepared();
  void HandOver();
  void Fail(const absl::Status& status);
  void Diagnose();
  void ConcludeLater();
  void ConcludeFailure();
  absl::Status WithEvidence(const absl::Status& status) const;
  void AddLastEvidence(ErrorDetails& details) const;
  bool reading() const { return !over_ && !has_line_; }
  // Calls `ask` where user code may run, and `then` with its answer on the
  // loop, unless this launch is gone by then.
  template <typename Ask, typename Then>
  void AskUser(Ask ask, Then then);

  Runtime& runtime_;
  const PluginStart start_;
  const ClientOptions options_;
  const std::shared_ptr<PluginOutput> output_;
  const std::function<void(LaunchPhase, absl::Duration)> report_;
  const Stopwatch stopwatch_;
  Done done_;
  // For the handshake: the whole, the notice, and the wait that follows an odd
  // candidate or the end of stdout. Afterwards: for the exit after SIGKILL.
  Timer deadline_;
  Timer notice_;
  Timer quiet_;

  HandshakeReader reader_;
  absl::optional<KeyPair> key_pair_;
  // Between the line and the connection.
  Stopwatch since_line_;
  // Why there is no way to the plugin yet.
  absl::Status looked_;
  Approach approach_;
  std::shared_ptr<Connector> connector_;
  ReadyPlugin plugin_;

  bool starting_ = false;
  bool preparing_ = false;
  bool connected_ = false;
  // For the spawner's thread: nobody waits for the process any more.
  std::atomic<bool> abandoned_{false};
  bool has_line_ = false;
  std::function<std::string()> diagnose_;
  bool diagnosing_ = false;
  std::string diagnosis_;
  bool over_ = false;
  bool gave_up_ = false;
  absl::Status failure_;
};

// The source of a plugin to start.
MakeSource LaunchSource(PluginStart start);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_LAUNCH_H_

#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_LAUNCH_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_LAUNCH_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"
#include "goplugin/error.h"
#include "goplugin/internal/connect/approach.h"
#include "goplugin/internal/connect/connector.h"
#include "goplugin/internal/connect/open_channel.h"
#include "goplugin/internal/lifecycle/handshake_steps.h"
#include "goplugin/internal/lifecycle/plugin_source.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/start/plugin_start.h"
#include "goplugin/internal/tls/certificate.h"

namespace goplugin::internal {

// The way from a plugin's start to a ready plugin, or from anywhere on it to an
// error, which is told when what was started has gone. README.md has a picture.
// What may take long is a step on the client's lane: a deadline and Cancel end
// the launch whatever the step is doing, and what it brings afterwards is ended
// by its ticket.
//
// Made on the caller's thread; lives on the loop's, in a shared_ptr.
class Launch final : public PluginSource,
                     public std::enable_shared_from_this<Launch> {
 public:
  Launch(const SourceContext& context, PluginStart start);

  void Start(Done done) override;
  void Cancel() override;
  const ReadyPlugin& plugin() const override { return plugin_; }

 private:
  enum class State {
    kStarting,    // until there is a process
    kReading,     // until there is a handshake line
    kAddressing,  // until there is a channel to where the line points
    kConnecting,  // until something answers there
    kEnding,      // it has failed, and what was started goes
    kOver,
  };

  // kStarting
  void BeginStart();
  void OnStarted(absl::StatusOr<StartedPlugin> started, absl::Duration when);
  void Prepare();

  // kReading
  void OnStdout(absl::string_view bytes);
  void OnStdoutEnd();
  void FinishReading(HandshakeReader::End end);
  void OnParsed(ParsedOutput parsed);
  void OnSlowStart();

  // kAddressing
  // For a step.
  using OpenChannel =
      std::function<absl::StatusOr<ConnectTarget>(const WayIn&)>;
  struct Approached {
    PluginApproach approach;
    // Opened in the same step: only a multiplexed one waits for MuxLink.
    absl::optional<absl::StatusOr<ConnectTarget>> channel = {};
  };
  void OnLine(const HandshakeResponse& response);
  void OnAddress(const absl::StatusOr<Endpoint>& address);
  absl::StatusOr<bool> Multiplexes() const;
  // Looks at what is at the address, before anything is sent there; again and
  // again while nobody listens yet.
  void Approach(bool multiplexed);
  void OnApproach(absl::StatusOr<Approached> found, bool multiplexed);
  absl::StatusOr<std::shared_ptr<Door>> OpenMux(PluginApproach& approach);
  OpenChannel ChannelOpener() const;
  void OnMuxEnd(const absl::Status& status);
  void OnChannel(absl::StatusOr<ConnectTarget> target);

  // kConnecting
  void OnConnected(const absl::Status& status, Connector::Serving serving);
  std::function<void()> WarnOfRaisedRights() const;

  // From any state to the end.
  void OnExit();
  void OnDeadline();
  void Fail(const absl::Status& status);
  void RememberAnnounced();
  void OnEnded();
  void Diagnose();
  absl::Status WithEvidence(const absl::Status& status) const;
  absl::Status WithLastEvidence(const absl::Status& status) const;

  bool before(State state) const { return state_ < state; }
  absl::Duration Remaining() const {
    return context_.stopwatch.Remaining(context_.options.start_timeout);
  }

  const SourceContext context_;
  const PluginStart start_;
  // What the caller has given, judged on his thread.
  const absl::Status usable_;
  Done done_;
  State state_ = State::kStarting;
  // For the whole, then for what bounds itself and may be stuck.
  Timer deadline_;
  // The remark on a slow start.
  Timer notice_;
  // What follows an odd candidate, or the end of stdout.
  Timer quiet_;

  // Shared with the start, which runs on another thread.
  const std::shared_ptr<std::atomic<bool>> abandoned_ =
      std::make_shared<std::atomic<bool>>(false);
  const std::shared_ptr<std::atomic<bool>> begun_ =
      std::make_shared<std::atomic<bool>>(false);
  HandshakeSteps handshake_;
  absl::optional<KeyPair> key_pair_;
  // Since the line, while nobody listens there; and why that is thought.
  Stopwatch approaching_;
  absl::Status unreached_;
  std::shared_ptr<Connector> connector_;
  ReadyPlugin plugin_;
  std::function<std::string()> diagnose_;
  std::string diagnosis_;
  absl::Status failure_;
};

// The source of a plugin to start.
MakeSource LaunchSource(PluginStart start);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_LAUNCH_H_

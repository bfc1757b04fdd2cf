#include "goplugin/client.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/lifecycle/join.h"
#include "goplugin/internal/lifecycle/launch.h"
#include "goplugin/internal/lifecycle/live_sessions.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/lifecycle/session.h"
#include "goplugin/internal/lifecycle/told.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/start/find_plugin.h"
#include "goplugin/internal/start/run_plugin.h"
#include "goplugin/internal/start/spawn_plugin.h"

namespace goplugin {

using internal::Session;

namespace {

// In a forked child: the session's threads do not exist here, and ending them
// would hang. Kept reachable, so that leak checkers see that it is meant.
void Abandon(std::shared_ptr<Session> session) {
  static auto* abandoned = new std::vector<std::shared_ptr<Session>>;
  abandoned->push_back(std::move(session));
}

// False in a forked child.
bool OfThisProcess() {
  const absl::optional<ErrorDetails> details =
      GetErrorDetails(internal::Runtime::CheckProcess());
  return !details.has_value() || details->reason != Reason::kForked;
}

absl::Status EndAll(const std::vector<std::shared_ptr<Session>>& sessions,
                    absl::Duration deadline) {
  const internal::Stopwatch stopwatch;
  // What ended before is not this shutdown's.
  std::vector<std::shared_ptr<Session>> running;
  std::copy_if(sessions.begin(), sessions.end(), std::back_inserter(running),
               [](const std::shared_ptr<Session>& session) {
                 return !session->ended() &&
                        !session->exit_status().has_value();
               });
  for (const std::shared_ptr<Session>& session : sessions) {
    session->BeginShutdown();
  }
  for (const std::shared_ptr<Session>& session : sessions) {
    if (!session->WaitForEnd(stopwatch.Remaining(deadline))) {
      session->BeginKill();
    }
  }
  for (const std::shared_ptr<Session>& session : sessions) {
    session->WaitForEnd().IgnoreError();
  }
  absl::Status first;
  for (const std::shared_ptr<Session>& session : running) {
    first.Update(session->WaitForEnd());
  }
  return first;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Start(
    absl::StatusOr<std::shared_ptr<Session>> created) {
  absl::Status may_block = Session::CheckMayBlock();
  if (!may_block.ok()) return may_block;
  if (!created.ok()) return created.status();
  std::shared_ptr<Session> session = *std::move(created);
  // Shared with the loop, which may still be in Notify when this returns.
  struct Outcome {
    absl::Notification known;
    absl::Status status;
  };
  auto outcome = std::make_shared<Outcome>();
  session->Start([outcome](absl::Status status) {
    outcome->status = std::move(status);
    outcome->known.Notify();
  });
  outcome->known.WaitForNotification();
  if (!outcome->status.ok()) return outcome->status;
  return std::unique_ptr<Client>(new Client(std::move(session)));
}

LaunchOperation Client::StartAsync(
    absl::StatusOr<std::shared_ptr<Session>> created, LaunchCallback done) {
  std::shared_ptr<LaunchOperation::Result> result;
  if (done == nullptr) {
    result = std::make_shared<LaunchOperation::Result>();
    done = [result](absl::StatusOr<std::unique_ptr<Client>> client) {
      *result = std::move(client);
    };
  }
  if (!created.ok() && !internal::Runtime::CheckProcess().ok()) {
    // Without a lock, which the parent's other threads may have held.
    std::move(done)(created.status());
    return LaunchOperation(std::weak_ptr<Session>(), nullptr,
                           std::move(result));
  }
  auto told = std::make_shared<internal::Told>();
  if (!created.ok()) {
    absl::AnyInvocable<void()&&> tell = [done = std::move(done), told,
                                         status = created.status()]() mutable {
      std::move(done)(std::move(status));
      told->Notify();
    };
    // Better here than never.
    if (!internal::Runtime::RunApart(tell)) std::move(tell)();
    return LaunchOperation(std::weak_ptr<Session>(), std::move(told),
                           std::move(result));
  }
  std::shared_ptr<Session> session = *std::move(created);
  std::weak_ptr<Session> weak = session;
  Session* raw = session.get();
  raw->Start([session = std::move(session), done = std::move(done),
              told](absl::Status status) mutable {
    Session* poster = session.get();
    poster->PostCompletion([session = std::move(session),
                            done = std::move(done), told = std::move(told),
                            status = std::move(status)]() mutable {
      if (status.ok()) {
        std::move(done)(
            std::unique_ptr<Client>(new Client(std::move(session))));
      } else {
        session.reset();
        std::move(done)(std::move(status));
      }
      told->Notify();
    });
  });
  return LaunchOperation(std::move(weak), std::move(told), std::move(result));
}

absl::StatusOr<std::unique_ptr<Client>> Client::Launch(Command command,
                                                       ClientOptions options) {
  return Start(Session::Create(
      internal::LaunchSource(internal::SpawnStart(std::move(command))),
      std::move(options)));
}

LaunchOperation Client::LaunchAsync(Command command, ClientOptions options,
                                    LaunchCallback done) {
  return StartAsync(
      Session::Create(
          internal::LaunchSource(internal::SpawnStart(std::move(command))),
          std::move(options)),
      std::move(done));
}

absl::StatusOr<std::unique_ptr<Client>> Client::Launch(
    std::shared_ptr<Runner> runner, ClientOptions options) {
  return Start(Session::Create(
      internal::LaunchSource(internal::RunnerStart(std::move(runner))),
      std::move(options)));
}

LaunchOperation Client::LaunchAsync(std::shared_ptr<Runner> runner,
                                    ClientOptions options,
                                    LaunchCallback done) {
  return StartAsync(
      Session::Create(
          internal::LaunchSource(internal::RunnerStart(std::move(runner))),
          std::move(options)),
      std::move(done));
}

absl::StatusOr<std::unique_ptr<Client>> Client::Reattach(
    ReattachConfig config, ClientOptions options) {
  return Start(Session::Create(
      internal::JoinSource(internal::ReattachSearch(std::move(config))),
      std::move(options)));
}

LaunchOperation Client::ReattachAsync(ReattachConfig config,
                                      ClientOptions options,
                                      LaunchCallback done) {
  return StartAsync(
      Session::Create(
          internal::JoinSource(internal::ReattachSearch(std::move(config))),
          std::move(options)),
      std::move(done));
}

absl::StatusOr<std::unique_ptr<Client>> Client::Reattach(
    ReattachConfig config, std::shared_ptr<Runner> runner,
    ClientOptions options) {
  return Start(
      Session::Create(internal::JoinSource(internal::RunnerReattachSearch(
                          std::move(config), std::move(runner))),
                      std::move(options)));
}

LaunchOperation Client::ReattachAsync(ReattachConfig config,
                                      std::shared_ptr<Runner> runner,
                                      ClientOptions options,
                                      LaunchCallback done) {
  return StartAsync(
      Session::Create(internal::JoinSource(internal::RunnerReattachSearch(
                          std::move(config), std::move(runner))),
                      std::move(options)),
      std::move(done));
}

absl::StatusOr<std::unique_ptr<Client>> Client::Attach(std::string target,
                                                       ClientOptions options) {
  return Attach(std::move(target), nullptr, std::move(options));
}

absl::StatusOr<std::unique_ptr<Client>> Client::Attach(
    std::string target, std::shared_ptr<grpc::ChannelCredentials> credentials,
    ClientOptions options) {
  return Start(Session::Create(internal::JoinSource(internal::AttachSearch(
                                   std::move(target), std::move(credentials))),
                               std::move(options)));
}

LaunchOperation Client::AttachAsync(
    std::string target, std::shared_ptr<grpc::ChannelCredentials> credentials,
    ClientOptions options, LaunchCallback done) {
  return StartAsync(
      Session::Create(internal::JoinSource(internal::AttachSearch(
                          std::move(target), std::move(credentials))),
                      std::move(options)),
      std::move(done));
}

Client::Client(std::shared_ptr<Session> session)
    : session_(std::move(session)) {}

Client::~Client() {
  if (!OfThisProcess()) {
    Abandon(std::move(session_));
    return;
  }
  session_->BeginShutdown();
  if (!Session::CheckMayBlock().ok()) return;
  session_->WaitForEnd().IgnoreError();
  session_->WaitForLoop();
}

std::shared_ptr<grpc::Channel> Client::channel() const {
  // A lock of the session's may be held by a thread that does not exist here.
  if (!OfThisProcess()) return internal::ShutDownChannel();
  return session_->channel();
}

Broker& Client::broker() const { return session_->broker(); }

absl::Status Client::Ping(absl::Duration timeout) const {
  return session_->Ping(timeout);
}

absl::Status Client::Shutdown() {
  absl::Status status = Session::CheckMayBlock();
  if (!status.ok()) return status;
  session_->BeginShutdown();
  return session_->WaitForEnd();
}

void Client::ShutdownAsync(absl::AnyInvocable<void(absl::Status) &&> done) {
  absl::Status usable = internal::Runtime::CheckProcess();
  if (!usable.ok()) return std::move(done)(std::move(usable));
  // The end, if there has been one, is judged by it.
  session_->BeginShutdown();
  session_->OnEnd(std::move(done));
}

absl::Status Client::Kill() {
  absl::Status status = Session::CheckMayBlock();
  if (status.ok()) status = session_->may_kill();
  if (!status.ok()) return status;
  session_->BeginKill();
  return session_->WaitForEnd();
}

absl::Status Client::ShutdownAll(absl::Span<Client* const> clients,
                                 absl::Duration deadline) {
  absl::Status status = Session::CheckMayBlock();
  if (!status.ok()) return status;
  std::vector<std::shared_ptr<Session>> sessions;
  for (const Client* client : clients) {
    if (client != nullptr) sessions.push_back(client->session_);
  }
  return EndAll(sessions, deadline);
}

absl::Status Client::ShutdownAll(absl::Duration deadline) {
  absl::Status status = Session::CheckMayBlock();
  if (!status.ok()) return status;
  std::vector<std::shared_ptr<Session>> sessions =
      internal::LiveSessions::All();
  sessions.erase(std::remove_if(sessions.begin(), sessions.end(),
                                [](const std::shared_ptr<Session>& session) {
                                  return session->ended();
                                }),
                 sessions.end());
  return EndAll(sessions, deadline);
}

absl::Status Client::ShutdownAll(
    absl::Span<const std::unique_ptr<Client>> clients,
    absl::Duration deadline) {
  std::vector<Client*> pointers(clients.size());
  std::transform(clients.begin(), clients.end(), pointers.begin(),
                 [](const std::unique_ptr<Client>& c) { return c.get(); });
  return ShutdownAll(pointers, deadline);
}

absl::StatusOr<ReattachConfig> Client::reattach_config() const {
  if (!OfThisProcess()) return internal::Runtime::CheckProcess();
  return session_->reattach_config();
}

absl::StatusOr<ReattachConfig> Client::Detach() { return session_->Detach(); }

std::uint32_t Client::protocol_version() const {
  return session_->response().app_version;
}

pid_t Client::pid() const { return session_->pid(); }

const Endpoint& Client::endpoint() const {
  return session_->response().endpoint;
}

HandshakeInfo Client::handshake() const {
  const internal::HandshakeResponse& response = session_->response();
  return {response.raw_line, response.certificate_der, response.multiplex};
}

const LaunchTimings& Client::timings() const { return session_->timings(); }

bool Client::uses_tls() const { return session_->uses_tls(); }

bool Client::multiplexed() const { return session_->multiplexed(); }

bool Client::exited() const { return exit_status().has_value(); }

absl::optional<ExitStatus> Client::exit_status() const {
  if (!OfThisProcess()) return absl::nullopt;
  return session_->exit_status();
}

absl::StatusOr<ExitStatus> Client::WaitForExit(absl::Duration timeout) const {
  return session_->WaitForExit(timeout);
}

void Client::OnExit(
    absl::AnyInvocable<void(ExitStatus, absl::Status) &&> callback) {
  const absl::Status usable = internal::Runtime::CheckProcess();
  if (usable.ok()) return session_->OnExit(std::move(callback));
  std::move(callback)(ExitStatus(), usable);
}

absl::Status Client::Explain(const grpc::Status& status) const {
  return session_->Explain(status);
}

void Client::ExplainAsync(
    grpc::Status status, absl::AnyInvocable<void(absl::Status) &&> done) const {
  absl::Status usable = internal::Runtime::CheckProcess();
  if (!usable.ok()) return std::move(done)(std::move(usable));
  session_->ExplainAsync(std::move(status), std::move(done));
}

}  // namespace goplugin

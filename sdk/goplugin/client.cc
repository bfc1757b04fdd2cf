#include "goplugin/client.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "goplugin/internal/lifecycle/session.h"
#include "goplugin/internal/lifecycle/stopwatch.h"

namespace goplugin {

using internal::Session;

namespace {

// In a forked child: the session's threads do not exist here, and ending them
// would hang. Kept reachable, so that leak checkers see that it is meant.
void Abandon(std::shared_ptr<Session> session) {
  static auto* abandoned = new std::vector<std::shared_ptr<Session>>;
  abandoned->push_back(std::move(session));
}

}  // namespace

void LaunchOperation::Cancel() {
  if (std::shared_ptr<Session> session = session_.lock()) {
    session->CancelLaunch();
  }
}

absl::StatusOr<std::unique_ptr<Client>> Client::Launch(Command command,
                                                       ClientOptions options) {
  absl::Status may_block = Session::CheckThread();
  if (!may_block.ok()) return may_block;
  std::shared_ptr<Session> session =
      Session::Create(std::move(command), std::move(options));
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

LaunchOperation Client::LaunchAsync(Command command, ClientOptions options,
                                    LaunchCallback done) {
  std::shared_ptr<Session> session =
      Session::Create(std::move(command), std::move(options));
  std::weak_ptr<Session> weak = session;
  Session* raw = session.get();
  raw->Start([session = std::move(session),
              done = std::move(done)](absl::Status status) mutable {
    Session* poster = session.get();
    poster->PostCallback([session = std::move(session), done = std::move(done),
                          status = std::move(status)]() mutable {
      if (!status.ok()) {
        session.reset();
        std::move(done)(std::move(status));
        return;
      }
      std::move(done)(std::unique_ptr<Client>(new Client(std::move(session))));
    });
  });
  return LaunchOperation(std::move(weak));
}

Client::Client(std::shared_ptr<Session> session)
    : session_(std::move(session)) {}

Client::~Client() {
  if (session_->forked()) {
    Abandon(std::move(session_));
    return;
  }
  session_->BeginShutdown();
  if (Session::CheckThread().ok()) session_->WaitForEnd().IgnoreError();
}

std::shared_ptr<grpc::Channel> Client::channel() const {
  return session_->channel();
}

Broker& Client::broker() const { return session_->broker(); }

absl::Status Client::Ping(absl::Duration timeout) const {
  return session_->Ping(timeout);
}

absl::Status Client::Shutdown() {
  absl::Status status = session_->CheckMayBlock();
  if (!status.ok()) return status;
  session_->BeginShutdown();
  return session_->WaitForEnd();
}

void Client::ShutdownAsync(absl::AnyInvocable<void(absl::Status) &&> done) {
  if (session_->forked()) return std::move(done)(session_->CheckMayBlock());
  session_->OnEnd(std::move(done));
  session_->BeginShutdown();
}

absl::Status Client::Kill() {
  absl::Status status = session_->CheckMayBlock();
  if (!status.ok()) return status;
  session_->BeginKill();
  return session_->WaitForEnd();
}

absl::Status Client::ShutdownAll(absl::Span<Client* const> clients,
                                 absl::Duration deadline) {
  const internal::Stopwatch stopwatch;
  for (Client* client : clients) {
    absl::Status status = client->session_->CheckMayBlock();
    if (!status.ok()) return status;
    client->session_->BeginShutdown();
  }
  for (Client* client : clients) {
    if (!client->session_->WaitForEnd(stopwatch.Remaining(deadline))) {
      client->session_->BeginKill();
    }
  }
  absl::Status first;
  for (Client* client : clients) first.Update(client->session_->WaitForEnd());
  return first;
}

absl::Status Client::ShutdownAll(
    absl::Span<const std::unique_ptr<Client>> clients,
    absl::Duration deadline) {
  std::vector<Client*> pointers(clients.size());
  std::transform(clients.begin(), clients.end(), pointers.begin(),
                 [](const std::unique_ptr<Client>& c) { return c.get(); });
  return ShutdownAll(pointers, deadline);
}

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

bool Client::exited() const { return exit_status().has_value(); }

absl::optional<ExitStatus> Client::exit_status() const {
  return session_->exit_status();
}

absl::StatusOr<ExitStatus> Client::WaitForExit(absl::Duration timeout) const {
  return session_->WaitForExit(timeout);
}

void Client::OnExit(
    absl::AnyInvocable<void(ExitStatus, absl::Status) &&> callback) {
  session_->OnExit(std::move(callback));
}

absl::Status Client::Explain(const grpc::Status& status) const {
  return session_->Explain(status);
}

}  // namespace goplugin

#include "goplugin/testing/internal/in_process_server.h"

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::testing {
namespace {

constexpr std::size_t kStdoutBytes = std::size_t{1} << 20;
constexpr absl::Duration kFlushTimeout = absl::Milliseconds(500);
// For calls under way when the host asks for the end. A host that keeps its
// connection takes as long, which tests should not notice.
constexpr absl::Duration kGrace = absl::Milliseconds(50);

}  // namespace

InProcessServer::InProcessServer(InProcessPluginOptions options)
    : options_(std::move(options)), stdio_(kStdoutBytes), controller_([this] {
        stdio_.Flush(kFlushTimeout);
        End(ExitStatus{ExitStatus::Kind::kExited, 0}, kGrace);
      }) {}

bool InProcessServer::Claim() {
  internal::MutexLock lock(mutex_);
  return !std::exchange(claimed_, true);
}

absl::Status InProcessServer::Start(const std::string& directory) {
  internal::ServerPlan plan;
  plan.services = {&health_, &controller_, &stdio_, &broker_service_};
  plan.services.insert(plan.services.end(), options_.services.begin(),
                       options_.services.end());
  plan.credentials = grpc::InsecureServerCredentials();
  plan.networks = {Endpoint::Network::kUnix};
  directories_ = std::make_shared<internal::PluginDirectories>(directory, "");
  const auto warn = [weak = weak_from_this()](const std::string& text) {
    if (std::shared_ptr<InProcessServer> server = weak.lock()) {
      server->WriteStderr(absl::StrCat("[WARN] ", text, "\n"));
    }
  };
  threads_ = std::make_shared<internal::AcceptThreads>(warn);
  if (!threads_->status().ok()) return threads_->status();
  plan.directories = directories_;
  plan.threads = threads_;
  plan.configure = options_.configure_server;
  absl::StatusOr<std::unique_ptr<internal::PluginServer>> server =
      internal::PluginServer::Start(plan);
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  MakeBroker(warn);
  {
    internal::MutexLock lock(mutex_);
    started_ = true;
  }
  thread_ = std::thread([this] { RunToEnd(); });
  return absl::OkStatus();
}

void InProcessServer::MakeBroker(std::function<void(std::string)> warn) {
  internal::BrokerSetup setup;
  setup.peer = "host";
  setup.acceptors = threads_->acceptors();
  setup.sockets.directory = [directories = directories_] {
    return directories->Brokered();
  };
  setup.security.channel_credentials = grpc::InsecureChannelCredentials();
  setup.security.server_credentials = [] {
    return grpc::InsecureServerCredentials();
  };
  setup.warn = std::move(warn);
  broker_core_ = std::make_shared<internal::BrokerCore>(std::move(setup));
  broker_ = std::make_unique<Broker>(broker_core_);
  broker_service_.Attach(broker_core_);
  if (options_.on_broker) options_.on_broker(*broker_);
}

void InProcessServer::Watch(absl::optional<Watcher> watcher) {
  internal::MutexLock lock(mutex_);
  watcher_ = std::move(watcher);
  if (ended_) TellExit();
}

void InProcessServer::WriteStderr(absl::string_view text) {
  internal::MutexLock lock(mutex_);
  if (watcher_.has_value() && !ended_) watcher_->on_stderr(std::string(text));
}

void InProcessServer::End(ExitStatus status, absl::Duration grace) {
  internal::MutexLock lock(mutex_);
  if (!started_ || end_.has_value()) return;
  end_ = status;
  grace_ = grace;
}

void InProcessServer::WaitForEnd() {
  internal::MutexLock lock(mutex_);
  mutex_.Await(absl::Condition(this, &InProcessServer::HasNoCalls));
}

void InProcessServer::EndAndWait() {
  End(ExitStatus{ExitStatus::Kind::kExited, 0}, absl::ZeroDuration());
  if (thread_.joinable()) thread_.join();
  server_.reset();
}

void InProcessServer::RunToEnd() {
  absl::Duration grace;
  {
    internal::MutexLock lock(mutex_);
    mutex_.Await(absl::Condition(this, &InProcessServer::EndIsAsked));
    grace = grace_;
  }
  // First, so that methods which dial come to their end.
  broker_core_->End(
      goplugin::internal::MakeError(Reason::kShutDown, "the plugin is ending",
                                    "make no calls after its end"));
  broker_service_.Close();
  stdio_.Close();
  health_.Close();
  server_->Shutdown(grace);
  directories_->Remove();
  threads_.reset();
  {
    internal::MutexLock lock(mutex_);
    ended_ = true;
    TellExit();
  }
  // A process would take its threads with it; here they must be waited for.
  server_->WaitForMethods();
}

void InProcessServer::TellExit() {
  if (!watcher_.has_value()) return;
  watcher_->on_exit(*end_);
  watcher_.reset();
}

}  // namespace goplugin::testing

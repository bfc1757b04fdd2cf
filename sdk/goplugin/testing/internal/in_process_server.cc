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
constexpr int kQueue = 128;

absl::Status PluginIsGone() {
  return internal::MakeError(Reason::kShutDown, "the plugin is ending",
                             "make no calls after its end");
}

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
  {
    internal::MutexLock lock(mutex_);
    if (over_) return PluginIsGone();
    starting_ = true;
  }
  absl::Status status = Serve(directory);
  if (!status.ok()) LetGo();
  internal::MutexLock lock(mutex_);
  starting_ = false;
  started_ = status.ok();
  return status;
}

absl::Status InProcessServer::Serve(const std::string& directory) {
  const auto warn = [weak = weak_from_this()](const std::string& text) {
    if (std::shared_ptr<InProcessServer> server = weak.lock()) {
      server->WriteStderr(absl::StrCat("[WARN] ", text, "\n"));
    }
  };
  directories_ = std::make_shared<internal::PluginDirectories>(directory, "");
  threads_ = std::make_unique<internal::AcceptThreads>(warn);
  if (!threads_->status().ok()) return threads_->status();
  internal::ListenPlan places;
  places.networks = {Endpoint::Network::kUnix};
  places.directories = directories_;
  places.queue = kQueue;
  absl::StatusOr<std::unique_ptr<internal::PluginListener>> listener =
      internal::PluginListener::Listen(places);
  if (!listener.ok()) return listener.status();
  endpoint_ = (*listener)->endpoint();
  internal::ServerPlan plan;
  plan.services = {&health_, &controller_, &stdio_, &broker_service_};
  plan.services.insert(plan.services.end(), options_.services.begin(),
                       options_.services.end());
  plan.credentials = grpc::InsecureServerCredentials();
  plan.configure = options_.configure_server;
  absl::StatusOr<std::unique_ptr<internal::PluginServer>> server =
      internal::PluginServer::Start(plan);
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  MakeBroker(warn);
  absl::StatusOr<internal::SdkThread> thread =
      internal::StartSdkThread("goplugin-inproc", [this] { RunToEnd(); });
  if (!thread.ok()) return thread.status();
  thread_ = *std::move(thread);
  // From here on the host gets in.
  server_->AcceptAt(*std::move(listener), *threads_->acceptors());
  return absl::OkStatus();
}

// The host has not got in; others may have, where configure_server added a
// port. Here, because the last who refers to this object may be on a thread
// that must not be waited for there.
void InProcessServer::LetGo() {
  CloseServices();
  server_.reset();
  threads_.reset();
  if (directories_ != nullptr) directories_->Remove();
}

void InProcessServer::CloseServices() {
  // First, so that methods which dial come to their end.
  if (broker_core_ != nullptr) broker_core_->End(PluginIsGone());
  broker_service_.Close();
  stdio_.Close();
  health_.Close();
}

void InProcessServer::MakeBroker(std::function<void(std::string)> warn) {
  internal::BrokerSetup setup;
  setup.peer = "host";
  setup.acceptors = threads_->acceptors();
  setup.sockets.directory = [directories = directories_] {
    return directories->Brokered();
  };
  setup.security.channel_credentials = [] {
    return grpc::InsecureChannelCredentials();
  };
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
  {
    internal::MutexLock lock(mutex_);
    over_ = true;
    mutex_.Await(absl::Condition(this, &InProcessServer::IsNotStarting));
  }
  End(ExitStatus{ExitStatus::Kind::kExited, 0}, absl::ZeroDuration());
  thread_.Join();
  server_.reset();
}

void InProcessServer::RunToEnd() {
  absl::Duration grace;
  {
    internal::MutexLock lock(mutex_);
    mutex_.Await(absl::Condition(this, &InProcessServer::EndIsAsked));
    grace = grace_;
  }
  CloseServices();
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

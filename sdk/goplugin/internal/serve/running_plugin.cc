#include "goplugin/internal/serve/running_plugin.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/handshake/versions.h"
#include "goplugin/internal/process/held_process.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/credentials.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// As many as gRPC lets wait; multiplexed, the host comes once.
constexpr int kManyConnections = 4096;
constexpr int kOneConnection = 1;

// What calls under way get of ServeOptions::shutdown_grace when nobody waits
// for them any more: all in all the plugin ends within 5 s of its host.
constexpr absl::Duration kOrphanGrace = absl::Seconds(1);

struct Security {
  std::shared_ptr<grpc::ServerCredentials> credentials;
  // What the line announces; "" for nothing.
  std::string certificate_der;
  BrokerSecurity brokered;
};

absl::Status AutoMtls(const std::string& hosts, Security& security) {
  const absl::StatusOr<PeerCertificate> host = ReadHostCertificate(hosts);
  if (!host.ok()) return host.status();
  const absl::StatusOr<KeyPair> ours = GenerateOneTimeCertificate();
  if (!ours.ok()) return ours.status();
  security.certificate_der = ours->certificate_der;
  security.brokered.server_name = kServerName;
  security.brokered.channel_credentials = [ours = *ours, host = *host] {
    return MakeAutoMtlsChannelCredentials(ours, host);
  };
  security.brokered.server_credentials = [ours = *ours, host = *host] {
    return MakeAutoMtlsServerCredentials(ours, host);
  };
  return absl::OkStatus();
}

absl::StatusOr<Security> ChooseSecurity(const ServeOptions& options,
                                        const HostRequest& request) {
  Security security;
  if (options.credentials != nullptr) {
    // There is no telling how to dial with them.
    security.brokered.server_credentials = [own = options.credentials] {
      return own;
    };
  } else if (request.client_certificate.empty()) {
    security.brokered.server_credentials = [] {
      return grpc::InsecureServerCredentials();
    };
    security.brokered.channel_credentials = [] {
      return grpc::InsecureChannelCredentials();
    };
  } else {
    absl::Status status = AutoMtls(request.client_certificate, security);
    if (!status.ok()) return status;
  }
  auto credentials = security.brokered.server_credentials();
  if (!credentials.ok()) return credentials.status();
  security.credentials = *std::move(credentials);
  return security;
}

// A host shows it with this level.
void Note(const char* level, const std::string& text) {
  std::fputs(absl::StrCat("[", level, "] ", text, "\n").c_str(), stderr);
}

void Warn(const std::string& text) { Note("WARN", text); }

// With nothing in common our lowest: the host compares, and tells its user.
std::uint32_t ChooseVersion(const ServeOptions& options,
                            const HostRequest& request) {
  std::vector<std::uint32_t> ours;
  ours.reserve(options.services.size());
  for (const auto& served : options.services) ours.push_back(served.first);
  absl::StatusOr<std::uint32_t> common =
      NegotiateVersion(ours, request.protocol_versions);
  return common.ok() ? *common : ours.front();
}

}  // namespace

RunningPlugin::RunningPlugin(const ServeOptions& options)
    : options_(options),
      stdio_(options.stdout_buffer_bytes),
      // The flush comes before the answer: a host drops the connection with it.
      controller_([this] {
        FlushStdout();
        SetCause(*end_cause_, EndCause::kAsked);
        exit_->Make();
      }) {}

// Where it could not start: whoever has called all the same holds up the
// server's end no longer.
RunningPlugin::~RunningPlugin() {
  stdio_.Close();
  health_.Close();
}

absl::StatusOr<std::unique_ptr<RunningPlugin>> RunningPlugin::Start(
    const ServeOptions& options, const HostRequest& request) {
  auto plugin = absl::WrapUnique(new RunningPlugin(options));
  if (!options.outlives_host) plugin->host_.emplace();
  absl::Status status = plugin->TakeSignals(ExitRequest::Interrupt::kIgnored);
  if (status.ok()) status = plugin->TakeStdout();
  if (!status.ok()) return status;
  const absl::StatusOr<HandshakeResponse> response = plugin->Listen(request);
  if (!response.ok()) return response.status();
  status = plugin->stdout_->WriteLine(
      absl::StrCat(FormatHandshakeLine(*response), "\n"));
  if (!status.ok()) return status;
  return plugin;
}

absl::StatusOr<std::unique_ptr<RunningPlugin>> RunningPlugin::StartTest(
    const ServeOptions& options, const HostRequest& request) {
  auto plugin = absl::WrapUnique(new RunningPlugin(options));
  const absl::Status status =
      plugin->TakeSignals(ExitRequest::Interrupt::kEnds);
  if (!status.ok()) return status;
  const absl::StatusOr<HandshakeResponse> response = plugin->Listen(request);
  if (!response.ok()) return response.status();
  TestServer server;
  server.reattach_config = plugin->TestConfig(*response);
  server.stop = plugin->exit_->Maker();
  options.test_mode(server);
  return plugin;
}

void RunningPlugin::SetCause(std::atomic<EndCause>& end, EndCause cause) {
  EndCause none = EndCause::kUnknown;
  end.compare_exchange_strong(none, cause);
}

absl::Status RunningPlugin::TakeSignals(ExitRequest::Interrupt interrupt) {
  absl::StatusOr<std::unique_ptr<ExitRequest>> exit =
      ExitRequest::Create(interrupt);
  if (!exit.ok()) return exit.status();
  exit_ = *std::move(exit);
  return absl::OkStatus();
}

absl::Status RunningPlugin::TakeStdout() {
  absl::StatusOr<std::unique_ptr<StdoutCapture>> capture = StdoutCapture::Start(
      [this](absl::string_view data) { stdio_.Append(data); });
  if (!capture.ok()) return capture.status();
  stdout_ = *std::move(capture);
  return absl::OkStatus();
}

absl::StatusOr<HandshakeResponse> RunningPlugin::Listen(
    const HostRequest& request) {
  absl::StatusOr<Security> security = ChooseSecurity(options_, request);
  if (!security.ok()) return security.status();
  const std::uint32_t version = ChooseVersion(options_, request);

  directories_ = std::make_shared<PluginDirectories>(request.socket_directory,
                                                     request.socket_group);
  threads_ = std::make_shared<AcceptThreads>(Warn);
  if (!threads_->status().ok()) return threads_->status();
  absl::StatusOr<std::unique_ptr<PluginListener>> listener =
      PluginListener::Listen(PlacesFor(request));
  if (!listener.ok()) return listener.status();
  const Endpoint endpoint = (*listener)->endpoint();
  socket_name_ = (*listener)->socket_name();
  absl::Status serving = StartServer(version, security->credentials);
  if (!serving.ok()) return serving;
  Open(*std::move(listener), request.multiplex, std::move(security->brokered));

  HandshakeResponse response;
  response.app_version = version;
  response.endpoint = endpoint;
  response.certificate_der = std::move(security->certificate_der);
  // Only hosts that asked for multiplexing know of a seventh field.
  if (request.multiplex) response.multiplex = true;
  return response;
}

ListenPlan RunningPlugin::PlacesFor(const HostRequest& request) const {
  ListenPlan plan;
  plan.networks = options_.networks;
  plan.min_port = request.min_port;
  plan.max_port = request.max_port;
  plan.directories = directories_;
  plan.queue = request.multiplex ? kOneConnection : kManyConnections;
  return plan;
}

absl::Status RunningPlugin::StartServer(
    std::uint32_t version,
    std::shared_ptr<grpc::ServerCredentials> credentials) {
  ServerPlan plan;
  plan.services = {&health_, &controller_, &stdio_, &broker_service_};
  const std::vector<grpc::Service*>& own = options_.services.at(version);
  plan.services.insert(plan.services.end(), own.begin(), own.end());
  plan.credentials = std::move(credentials);
  plan.configure = options_.configure_server;
  absl::StatusOr<std::unique_ptr<PluginServer>> server =
      PluginServer::Start(plan);
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  return absl::OkStatus();
}

// Hosts get in when on_broker has returned, and not before.
void RunningPlugin::Open(std::unique_ptr<PluginListener> listener,
                         bool multiplex, BrokerSecurity security) {
  const Endpoint::Network network = listener->endpoint().network;
  if (multiplex) Multiplex(std::move(listener));
  MakeBroker(network, std::move(security));
  if (mux_ != nullptr) return mux_->Accept();
  server_->AcceptAt(std::move(listener), *threads_->acceptors());
}

void RunningPlugin::Multiplex(std::unique_ptr<PluginListener> listener) {
  MuxListener::Callbacks callbacks;
  callbacks.warn = Warn;
  // As with Go's plugins: there is nobody left to serve.
  callbacks.on_host_gone = [cause = end_cause_, make_exit = exit_->Maker()] {
    SetCause(*cause, EndCause::kHostGone);
    make_exit();
  };
  mux_ =
      std::make_unique<MuxListener>(std::move(listener), threads_, directories_,
                                    server_->intake(), std::move(callbacks));
}

ReattachConfig RunningPlugin::TestConfig(
    const HandshakeResponse& response) const {
  ReattachConfig config;
  config.protocol_version = response.app_version;
  config.endpoint = response.endpoint;
  config.pid = getpid();
  config.start_time = ProcessStartTime(config.pid).value_or(0);
  config.test = true;
  return config;
}

void RunningPlugin::MakeBroker(Endpoint::Network network,
                               BrokerSecurity security) {
  BrokerSetup setup;
  setup.peer = "host";
  setup.network = network;
  if (mux_ != nullptr) setup.multiplexer = mux_->multiplexer();
  setup.acceptors = threads_->acceptors();
  setup.sockets.directory = [directories = directories_] {
    return directories->Brokered();
  };
  setup.security = std::move(security);
  setup.keep = options_.broker_keep;
  setup.warn = Warn;
  broker_core_ = std::make_shared<BrokerCore>(std::move(setup));
  broker_ = std::make_unique<Broker>(broker_core_);
  broker_service_.Attach(broker_core_);
  if (options_.on_broker) options_.on_broker(*broker_);
}

bool RunningPlugin::AwaitRequest() {
  if (host_.has_value() && host_->sees()) {
    return !host_->WaitForLoss(exit_->descriptor(), {socket_name_, [this] {
                                                       return server_->visits();
                                                     }});
  }
  exit_->Wait();
  return true;
}

bool RunningPlugin::RunToEnd() {
  // A host that has asked may be gone by the time that is looked at.
  const bool asked = AwaitRequest() && *end_cause_ != EndCause::kHostGone;
  if (!asked) Note("INFO", "the host is gone: the plugin ends");
  // First, so that methods which dial come to their end.
  broker_core_->End(
      MakeError(Reason::kShutDown, "the plugin is ending",
                asked ? "the host has asked for it" : "its host is gone"));
  broker_service_.Close();
  FlushStdout();
  stdio_.Close();
  health_.Close();
  const absl::Duration grace =
      asked ? options_.shutdown_grace
            : std::min(options_.shutdown_grace, kOrphanGrace);
  server_->BeginShutdown(grace);
  // While the server ends: the file system takes as long.
  directories_->Remove();
  return server_->Shutdown(grace);
}

void RunningPlugin::LeaveToExit(std::unique_ptr<RunningPlugin> plugin) {
  plugin->mux_.reset();
  // The user's brokered servers may live on: nobody comes to them any more.
  plugin->threads_->End();
  plugin->stdout_.reset();
  plugin->exit_.reset();
  plugin->host_.reset();
  // Where Serve is called again, the one before it goes. Never destroyed by the
  // exit itself: static objects of gRPC's may be gone by then.
  static auto* const left = new std::unique_ptr<RunningPlugin>();
  *left = std::move(plugin);
}

void RunningPlugin::FlushStdout() {
  if (stdout_ == nullptr) return;
  std::fflush(stdout);
  stdout_->Drain();
  stdio_.Flush(TimeToFlush());
}

// Of one time for all: the handler of Shutdown has waited for the same host.
absl::Duration RunningPlugin::TimeToFlush() {
  MutexLock lock(flush_mutex_);
  if (!flushing_.has_value()) flushing_.emplace();
  return flushing_->Remaining(options_.stdout_flush_timeout);
}

}  // namespace goplugin::internal

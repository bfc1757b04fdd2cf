#include "goplugin/testing/in_process_plugin.h"

#include <signal.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/handshake/versions.h"
#include "goplugin/internal/lifecycle/join.h"
#include "goplugin/internal/lifecycle/session.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/start/options_check.h"
#include "goplugin/internal/start/plugin_process.h"
#include "goplugin/internal/start/plugin_start.h"
#include "goplugin/testing/internal/in_process_server.h"

namespace goplugin::testing {
namespace {

using internal::EventLoop;
using internal::FoundPlugin;
using internal::MakeError;
using internal::PluginProcess;

constexpr char kName[] = "in this process";

// The plugin's process, as the session sees one. Lives on the loop's thread.
class InProcessProcess final : public PluginProcess {
 public:
  InProcessProcess(EventLoop& loop, std::shared_ptr<InProcessServer> server,
                   Callbacks callbacks)
      : PluginProcess(/*pid=*/-1, std::move(callbacks)),
        server_(std::move(server)) {
    // What was posted may run when this object is gone, and never beside its
    // destructor.
    std::weak_ptr<InProcessProcess*> self = self_;
    InProcessServer::Watcher watcher;
    watcher.on_stderr = [&loop, self](std::string text) {
      loop.Post([self, text = std::move(text)] {
        if (auto here = self.lock()) (*here)->callbacks().on_stderr(text);
      });
    };
    watcher.on_exit = [&loop, self](ExitStatus status) {
      loop.Post([self, status] {
        if (auto here = self.lock()) (*here)->Exited(status);
      });
    };
    server_->Watch(std::move(watcher));
  }
  ~InProcessProcess() override { server_->Watch(absl::nullopt); }

  bool controllable() const override { return true; }

  // Does what Serve does: SIGTERM is a polite wish.
  void Signal(int signal) override {
    const ExitStatus status =
        signal == SIGTERM ? ExitStatus{ExitStatus::Kind::kExited, 0}
                          : ExitStatus{ExitStatus::Kind::kSignalled, signal};
    server_->End(status, absl::ZeroDuration());
  }

  void Detach() override {}

 private:
  const std::shared_ptr<InProcessServer> server_;
  const std::shared_ptr<InProcessProcess*> self_ =
      std::make_shared<InProcessProcess*>(this);
};

absl::Status CheckLaunch(InProcessServer& server, ClientOptions options) {
  // None of it is used.
  options.tls = TlsOptions();
  absl::Status status = internal::CheckJoinOptions(options);
  if (!status.ok()) return status;
  status = internal::NegotiateVersion(options.handshake.protocol_versions,
                                      {server.options().protocol_version})
               .status();
  if (!status.ok()) return status;
  if (server.Claim()) return absl::OkStatus();
  return MakeError(Reason::kOptions,
                   "this InProcessPlugin was launched before: a plugin has one "
                   "life",
                   "make an InProcessPlugin for each launch");
}

absl::StatusOr<FoundPlugin> StartAndFind(
    const std::shared_ptr<InProcessServer>& server,
    const internal::CallerPlaces& caller, const ClientOptions& options) {
  absl::Status status = CheckLaunch(*server, options);
  if (!status.ok()) return status;
  FoundPlugin found;
  found.files =
      internal::PluginFiles::Create(internal::FilesRequestOf(options, caller));
  absl::StatusOr<std::shared_ptr<const internal::Directory>> lent =
      found.files->Lend();
  if (!lent.ok()) return lent.status();
  status = server->Start((*lent)->path());
  if (!status.ok()) return status;

  found.name = kName;
  found.response.app_version = server->options().protocol_version;
  found.response.endpoint = server->endpoint();
  found.insecure = true;
  found.in_this_process = true;
  found.make_process = [server](EventLoop& loop,
                                PluginProcess::Callbacks callbacks)
      -> std::unique_ptr<PluginProcess> {
    return std::make_unique<InProcessProcess>(loop, server,
                                              std::move(callbacks));
  };
  return found;
}

absl::StatusOr<std::shared_ptr<internal::Session>> MakeSession(
    const std::shared_ptr<InProcessServer>& server, ClientOptions options) {
  internal::PluginSearch search =
      [server, caller = internal::ReadCallerPlaces()](
          const ClientOptions& options, internal::Pool& /*pool*/) {
        return StartAndFind(server, caller, options);
      };
  return internal::Session::Create(internal::JoinSource(std::move(search)),
                                   std::move(options));
}

}  // namespace

InProcessPlugin::InProcessPlugin(InProcessPluginOptions options)
    : server_(std::make_shared<InProcessServer>(std::move(options))) {}

InProcessPlugin::~InProcessPlugin() { server_->EndAndWait(); }

absl::StatusOr<std::unique_ptr<Client>> InProcessPlugin::Launch(
    ClientOptions options) {
  return Client::Start(MakeSession(server_, std::move(options)));
}

LaunchOperation InProcessPlugin::LaunchAsync(ClientOptions options,
                                             Client::LaunchCallback done) {
  return Client::StartAsync(MakeSession(server_, std::move(options)),
                            std::move(done));
}

void InProcessPlugin::WriteStderr(absl::string_view text) {
  server_->WriteStderr(text);
}

void InProcessPlugin::WriteStdout(absl::string_view text) {
  server_->WriteStdout(text);
}

void InProcessPlugin::End(ExitStatus status) {
  server_->End(status, absl::ZeroDuration());
  server_->WaitForEnd();
}

}  // namespace goplugin::testing

// The program behind ScriptedPlugin: does what its arguments say.

#include <fcntl.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server_builder.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "goplugin/logger.h"
#include "goplugin/server.h"
#include "goplugin/testing/internal/script_arguments.h"

namespace goplugin::testing {
namespace {

[[noreturn]] void Stay() {
  for (;;) pause();
}

// At once, without destructors, as crashes do.
[[noreturn]] void End(const ExitStatus& status) {
  if (status.kind == ExitStatus::Kind::kSignalled) {
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    std::signal(status.value, SIG_DFL);
    std::raise(status.value);
  }
  _exit(status.value);
}

// Takes the calls of every service there is.
class AnyService final : public grpc::CallbackGenericService {
 public:
  explicit AnyService(const ScriptedPlugin& script) : script_(script) {}

 private:
  class Call final : public grpc::ServerGenericBidiReactor {
   public:
    void OnDone() override { delete this; }
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
  };

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    if (script_.end_in_call.has_value()) End(*script_.end_in_call);
    auto* call = new Call();
    if (script_.hang_in_call) return call;
    call->Finish(grpc::Status(
        grpc::StatusCode::UNIMPLEMENTED,
        absl::StrCat("a scripted plugin has no ", context->method())));
    return call;
  }

  const ScriptedPlugin& script_;
};

void Start(const ScriptedPlugin& script) {
  std::fputs(script.stderr_text.c_str(), stderr);
  const Logger log;
  for (int n = 1; n <= script.log_lines; ++n) {
    log.Info(absl::StrCat("line ", n));
  }
  absl::SleepFor(script.start_delay);
  if (script.end_at_start.has_value()) End(*script.end_at_start);
  if (script.line.has_value()) {
    std::fwrite(script.line->data(), 1, script.line->size(), stdout);
    std::fflush(stdout);
    Stay();
  }
}

int ServeScript(const ScriptedPlugin& script) {
  AnyService any(script);
  // Only here so that there is something to serve.
  grpc::Service nothing;
  ServeOptions options;
  options.magic_cookie_key = script.handshake.magic_cookie_key;
  options.magic_cookie_value = script.handshake.magic_cookie_value;
  for (std::uint32_t version : script.handshake.protocol_versions) {
    options.services[version] = {&nothing};
  }
  options.configure_server = [&any](grpc::ServerBuilder& builder) {
    builder.RegisterCallbackGenericService(&any);
  };
  if (script.ignore_shutdown) std::signal(SIGTERM, SIG_IGN);
  const int result = Serve(options);
  if (script.ignore_shutdown && result == 0) Stay();
  return result;
}

int Main(absl::Span<const char* const> arguments) {
  const absl::optional<ScriptedPlugin> script = ReadScript(arguments);
  if (!script.has_value()) {
    std::fputs("scripted_plugin: for goplugin::testing::ScriptedPlugin\n",
               stderr);
    return 64;
  }
  Start(*script);
  return ServeScript(*script);
}

}  // namespace
}  // namespace goplugin::testing

int main(int argc, char** argv) {
  return goplugin::testing::Main(absl::MakeConstSpan(argv, argc).subspan(1));
}

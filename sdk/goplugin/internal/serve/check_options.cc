#include "goplugin/internal/serve/check_options.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

absl::Status Bad(std::string what, std::string hint) {
  return MakeError(Reason::kOptions, std::move(what), std::move(hint));
}

absl::Status CheckCookie(const ServeOptions& options) {
  const std::string& key = options.magic_cookie_key;
  if (key.empty() || options.magic_cookie_value.empty()) {
    return Bad("ServeOptions without a magic cookie",
               "set magic_cookie_key and magic_cookie_value to the values the "
               "host uses");
  }
  if (key.find('=') != std::string::npos ||
      key.find('\0') != std::string::npos) {
    return Bad(absl::StrCat("magic_cookie_key is no name of an environment "
                            "variable: ",
                            Quote(key, 64)),
               "choose a name like KV_PLUGIN_COOKIE");
  }
  return absl::OkStatus();
}

absl::Status CheckService(std::uint32_t version, const grpc::Service* service) {
  if (service == nullptr) {
    return Bad(absl::StrCat("a service of version ", version, " is null"),
               "give pointers to services that live until Serve returns");
  }
  if (service->has_async_methods() || service->has_generic_methods()) {
    return Bad(absl::StrCat("a service of version ", version,
                            " uses gRPC's async or generic API"),
               "derive it from the generated Service or CallbackService: "
               "Serve runs no completion queue for others");
  }
  return absl::OkStatus();
}

absl::Status CheckServices(const ServeOptions& options) {
  if (options.services.empty()) {
    return Bad("ServeOptions without services",
               "set services to at least one protocol version, as in "
               "options.services = {{1, {&kv}}}");
  }
  for (const auto& [version, services] : options.services) {
    if (services.empty()) {
      return Bad(absl::StrCat("version ", version, " has no services"),
                 "list the services of every version in services");
    }
    for (const grpc::Service* service : services) {
      absl::Status status = CheckService(version, service);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status CheckListening(const ServeOptions& options) {
  if (options.networks.empty()) {
    return Bad("ServeOptions without networks",
               "leave networks at its default, or name kUnix, kTcp or both");
  }
  if (options.min_port < 0 || options.max_port > 65535 ||
      options.min_port > options.max_port) {
    return Bad(absl::StrCat("min_port and max_port are no range: ",
                            options.min_port, " to ", options.max_port),
               "use ports from 0 to 65535, the smaller one in min_port");
  }
  return absl::OkStatus();
}

absl::Status CheckBounds(const ServeOptions& options) {
  if (options.stdout_buffer_bytes == 0) {
    return Bad("stdout_buffer_bytes is 0",
               "leave it at its default, 1 MiB, or give it a few KiB");
  }
  if (options.shutdown_grace < absl::ZeroDuration() ||
      options.stdout_flush_timeout < absl::ZeroDuration()) {
    return Bad("shutdown_grace or stdout_flush_timeout is negative",
               "use times of 0 or more; together they should stay below the "
               "2 s after which a host kills the plugin");
  }
  if (options.broker_keep < absl::ZeroDuration()) {
    return Bad("broker_keep is negative", "leave it at its default, 30 s");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckServeOptions(const ServeOptions& options) {
  for (auto check : {CheckCookie, CheckServices, CheckListening, CheckBounds}) {
    absl::Status status = check(options);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace goplugin::internal

#include "goplugin/internal/serve/host_request.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/handshake/versions.h"

namespace goplugin::internal {
namespace {

constexpr int kMaxPort = 65535;

std::string ReadString(ReadVariable read, const char* name) {
  const char* value = read(name);
  return value == nullptr ? std::string() : std::string(value);
}

absl::Status BadPorts(std::string what) {
  return MakeError(Reason::kOptions, std::move(what),
                   "let the host set PLUGIN_MIN_PORT and PLUGIN_MAX_PORT to "
                   "numbers from 0 to 65535, the smaller one first");
}

// `fallback` when the variable is not set.
absl::StatusOr<int> ReadPort(ReadVariable read, const char* name,
                             int fallback) {
  const std::string text = ReadString(read, name);
  if (text.empty()) return fallback;
  int port = 0;
  if (!absl::SimpleAtoi(text, &port) || port < 0 || port > kMaxPort) {
    return BadPorts(absl::StrCat(name, " is no port: ", Quote(text, 64)));
  }
  return port;
}

absl::Status ReadPorts(ReadVariable read, HostRequest& request) {
  constexpr char kMin[] = "PLUGIN_MIN_PORT";
  constexpr char kMax[] = "PLUGIN_MAX_PORT";
  // Half a range is as Go takes it: the other half is 0.
  if (!ReadString(read, kMin).empty() || !ReadString(read, kMax).empty()) {
    request.min_port = 0;
    request.max_port = 0;
  }
  absl::StatusOr<int> min = ReadPort(read, kMin, request.min_port);
  if (!min.ok()) return min.status();
  absl::StatusOr<int> max = ReadPort(read, kMax, request.max_port);
  if (!max.ok()) return max.status();
  if (*min > *max) {
    return BadPorts(
        absl::StrCat(kMin, " (", *min, ") is above ", kMax, " (", *max, ")"));
  }
  request.min_port = *min;
  request.max_port = *max;
  return absl::OkStatus();
}

}  // namespace

bool CookieMatches(const std::string& key, const std::string& value,
                   ReadVariable read) {
  return ReadString(read, key.c_str()) == value;
}

absl::StatusOr<HostRequest> ReadHostRequest(ReadVariable read, int min_port,
                                            int max_port) {
  HostRequest request;
  request.protocol_versions =
      ParseVersionList(ReadString(read, "PLUGIN_PROTOCOL_VERSIONS"));
  request.min_port = min_port;
  request.max_port = max_port;
  absl::Status ports = ReadPorts(read, request);
  if (!ports.ok()) return ports;
  request.socket_directory = ReadString(read, "PLUGIN_UNIX_SOCKET_DIR");
  request.socket_group = ReadString(read, "PLUGIN_UNIX_SOCKET_GROUP");
  request.client_certificate = ReadString(read, "PLUGIN_CLIENT_CERT");
  request.multiplex =
      ParseGoBool(ReadString(read, "PLUGIN_MULTIPLEX_GRPC")).value_or(false);
  return request;
}

}  // namespace goplugin::internal

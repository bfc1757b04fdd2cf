#ifndef GOPLUGIN_INTERNAL_SERVE_HOST_REQUEST_H_
#define GOPLUGIN_INTERNAL_SERVE_HOST_REQUEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace goplugin::internal {

// The value of an environment variable, nullptr when it is not set. getenv is
// one.
using ReadVariable = absl::FunctionRef<const char*(const char* name)>;

// What a host asks of the plugin, by its environment.
struct HostRequest {
  // The application protocol versions it takes. Empty when it names none, as a
  // pyvider host does.
  std::vector<std::uint32_t> protocol_versions = {};
  // The tcp ports it allows, both ends included. 0 and 0: any.
  int min_port = 0;
  int max_port = 0;
  // "" when it leaves the place, or the access, to the plugin.
  std::string socket_directory = {};
  std::string socket_group = {};
  // The host's certificate, PEM: AutoMTLS is asked for. "" without.
  std::string client_certificate = {};
  // All connections are to go over one.
  bool multiplex = false;
};

// Whether the variable `key` has the value `value`.
bool CookieMatches(const std::string& key, const std::string& value,
                   ReadVariable read);

// Reads the request. Set but empty is as good as not set. Numbers that make no
// sense are an error of kOptions which quotes them; PLUGIN_MIN_PORT and
// PLUGIN_MAX_PORT go together, and `min_port`, `max_port` stand in for them
// when neither is set.
//
// Entries of the version list that are no versions are passed over: the host
// checks what was agreed on.
absl::StatusOr<HostRequest> ReadHostRequest(ReadVariable read, int min_port,
                                            int max_port);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_HOST_REQUEST_H_

#ifndef GOPLUGIN_REATTACH_H_
#define GOPLUGIN_REATTACH_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "goplugin/endpoint.h"

namespace goplugin {

// What a host needs to know of a plugin that runs already. A plain value, from
// Client::reattach_config, Client::Detach, a plugin in test mode
// (ServeOptions::test_mode), or the text that Terraform's hosts read. For
// Client::Reattach, which checks it.
struct ReattachConfig {
  // The application protocol version that was negotiated.
  std::uint32_t protocol_version = 0;
  // Where the plugin serves.
  Endpoint endpoint = {};
  // The plugin's process, as the system numbers it that the host sees; 0 when
  // it is not known. Numbers are used again, so it is never trusted alone: see
  // Client::Reattach.
  pid_t pid = 0;
  // When that process started, in clock ticks since boot: field 22 of
  // /proc/PID/stat. Together with the number it names one process and no other.
  // 0: not known, as in texts of other hosts.
  std::uint64_t start_time = 0;
  // The plugin belongs to whoever started it, a debugger for one: a client
  // leaves it running at its end.
  bool test = false;

  friend bool operator==(const ReattachConfig& a, const ReattachConfig& b) {
    return a.protocol_version == b.protocol_version &&
           a.endpoint == b.endpoint && a.pid == b.pid &&
           a.start_time == b.start_time && a.test == b.test;
  }
  friend bool operator!=(const ReattachConfig& a, const ReattachConfig& b) {
    return !(a == b);
  }
};

// By the plugin's name.
using ReattachProviders = std::map<std::string, ReattachConfig>;

// Reads the text that Terraform and its like take in TF_REATTACH_PROVIDERS:
//   {"NAME": {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": 123,
//             "Test": true, "Addr": {"Network": "unix", "String": "/tmp/p"}}}
// Field names are taken in any case and unknown ones passed over, as Go does. A
// text without anything in it is an empty map.
//
// Errors: kOptions (no such JSON: the evidence says where), kProtocol (a
// net/rpc plugin), kTransport (another network than unix and tcp). Thread-safe.
absl::StatusOr<ReattachProviders> ParseReattachProviders(
    absl::string_view json);

// Writes that text, on one line. A start time becomes a field "StartTime",
// which Go's decoder passes over.
//
// Errors: kOptions for a name or address that is no UTF-8, which JSON can't
// hold. Thread-safe.
absl::StatusOr<std::string> FormatReattachProviders(
    const ReattachProviders& providers);

}  // namespace goplugin

#endif  // GOPLUGIN_REATTACH_H_

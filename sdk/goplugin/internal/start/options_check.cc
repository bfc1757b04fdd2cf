#include "goplugin/internal/start/options_check.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/checksum.h"
#include "goplugin/internal/tls/manual_tls.h"

namespace goplugin::internal {
namespace {

absl::Status BadOption(absl::string_view field, std::string fact,
                       std::string hint) {
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = absl::StrCat("the option ", field, " can't be used");
  details.evidence = {std::move(fact)};
  details.hint = std::move(hint);
  return MakeError(details);
}

bool HasNul(absl::string_view text) {
  return text.find('\0') != absl::string_view::npos;
}

bool IsVariableName(absl::string_view name) {
  return !name.empty() && !HasNul(name) &&
         name.find('=') == absl::string_view::npos;
}

absl::Status CheckCommand(const Command& command) {
  if (command.path.empty()) {
    return BadOption("Command::path", "it is empty",
                     "give the path of the plugin's program");
  }
  if (HasNul(command.path) || HasNul(command.working_directory)) {
    return BadOption("Command::path", "a path holds a NUL byte",
                     "remove the NUL byte");
  }
  for (const std::string& argument : command.args) {
    if (HasNul(argument)) {
      return BadOption("Command::args",
                       absl::StrCat(Quote(argument), " holds a NUL byte"),
                       "arguments end at a NUL byte; remove it");
    }
  }
  for (const auto& [name, value] : command.env) {
    if (!IsVariableName(name) || HasNul(value)) {
      return BadOption("Command::env",
                       absl::StrCat("the variable ", Quote(name)),
                       "names are not empty and hold neither '=' nor NUL; "
                       "values hold no NUL");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckUser(const Command::User& user) {
  constexpr std::uint32_t kUnset = Command::User::kUnset;
  // Far below Linux's own limit of 65536, and above any real user's.
  constexpr size_t kMaxGroups = 4096;
  const bool bad_group = std::find(user.groups.begin(), user.groups.end(),
                                   kUnset) != user.groups.end();
  if (user.uid == kUnset || user.gid == kUnset || bad_group) {
    return BadOption("Command::user",
                     absl::StrCat("user ", user.uid, ", group ", user.gid),
                     "set both the uid and the gid; 4294967295 is no user or "
                     "group");
  }
  if (user.groups.size() > kMaxGroups) {
    return BadOption("Command::user",
                     absl::StrCat(user.groups.size(), " groups"),
                     absl::StrCat("give at most ", kMaxGroups, " groups"));
  }
  return absl::OkStatus();
}

absl::Status CheckResourceLimits(const Command& command) {
  std::set<int> seen;
  for (const Command::ResourceLimit& limit : command.resource_limits) {
    const std::string text = absl::StrCat("resource ", limit.resource, ", ",
                                          limit.soft, " of ", limit.hard);
    if (limit.resource < 0 || limit.soft > limit.hard) {
      return BadOption("Command::resource_limits", text,
                       "name a resource (RLIMIT_NOFILE, ...), and a soft limit "
                       "that is not above the hard one");
    }
    if (!seen.insert(limit.resource).second) {
      return BadOption("Command::resource_limits", text + ", twice",
                       "give each resource one limit");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDescriptors(const Command& command) {
  constexpr int kFirstFree = 3;
  std::set<int> seen;
  for (const Command::Descriptor& entry : command.descriptors) {
    const std::string text = absl::StrCat("descriptor ", entry.host,
                                          " of the host, to be ", entry.child);
    if (entry.host < 0) {
      return BadOption("Command::descriptors", text,
                       "name an open descriptor of the host");
    }
    if (entry.child < kFirstFree) {
      return BadOption("Command::descriptors", text,
                       "give it a number from 3 on: 0 is what "
                       "Command::stdin_mode says, 1 and 2 are the SDK's pipes");
    }
    if (!seen.insert(entry.child).second) {
      return BadOption("Command::descriptors", text + ", as another one",
                       "give each a number of its own in the child");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckLimits(const Command& command) {
  for (const std::string& directory : command.cgroups) {
    if (directory.empty() || directory[0] != '/' || HasNul(directory)) {
      return BadOption("Command::cgroups", Quote(directory),
                       "give the absolute path of the control group's "
                       "directory, below /sys/fs/cgroup as a rule");
    }
  }
  if (command.nice < -39 || command.nice > 39) {
    return BadOption("Command::nice", absl::StrCat(command.nice),
                     "give a difference from -39 to 39; 0 changes nothing");
  }
  absl::Status status = CheckResourceLimits(command);
  if (status.ok()) status = CheckDescriptors(command);
  if (status.ok() && command.user.has_value()) {
    status = CheckUser(*command.user);
  }
  if (status.ok() && command.secure_config.has_value()) {
    status = ExpectedDigest(*command.secure_config).status();
  }
  return status;
}

// What is wrong with a text that must be there.
std::string Fault(absl::string_view text) {
  return text.empty() ? "it is empty" : absl::StrCat("it is ", Quote(text));
}

absl::Status CheckHandshake(const HandshakeConfig& handshake) {
  if (!IsVariableName(handshake.magic_cookie_key)) {
    return BadOption("handshake.magic_cookie_key",
                     Fault(handshake.magic_cookie_key),
                     "set it to the environment variable that the plugin "
                     "checks; the plugin's documentation names it");
  }
  if (handshake.magic_cookie_value.empty() ||
      HasNul(handshake.magic_cookie_value)) {
    return BadOption("handshake.magic_cookie_value",
                     Fault(handshake.magic_cookie_value),
                     "set it to the value that the plugin expects");
  }
  if (handshake.protocol_versions.empty()) {
    return BadOption("handshake.protocol_versions", "it is empty",
                     "list the application protocol versions this host can "
                     "use, {1} if there was only ever one");
  }
  return absl::OkStatus();
}

absl::Status CheckWait(absl::string_view field, absl::Duration wait,
                       absl::Duration least) {
  if (wait >= least) return absl::OkStatus();
  return BadOption(
      field, absl::FormatDuration(wait),
      absl::StrCat("give a time from ", absl::FormatDuration(least),
                   " on, or InfiniteDuration for no deadline"));
}

absl::Status CheckWaits(const ClientOptions& options) {
  const ShutdownOptions& shutdown = options.shutdown;
  struct Row {
    const char* field;
    absl::Duration wait;
    absl::Duration least;
  };
  const Row rows[] = {
      {"start_timeout", options.start_timeout, absl::Milliseconds(1)},
      {"usage_interval", options.usage_interval, absl::Milliseconds(100)},
      {"shutdown.rpc_timeout", shutdown.rpc_timeout, absl::ZeroDuration()},
      {"shutdown.exit_timeout", shutdown.exit_timeout, absl::ZeroDuration()},
      {"shutdown.terminate_timeout", shutdown.terminate_timeout,
       absl::ZeroDuration()},
      {"shutdown.kill_timeout", shutdown.kill_timeout, absl::ZeroDuration()},
      {"broker_keep", options.broker_keep, absl::ZeroDuration()},
  };
  for (const Row& row : rows) {
    absl::Status status = CheckWait(row.field, row.wait, row.least);
    if (!status.ok()) return status;
  }
  if (options.slow_start_notice <= absl::ZeroDuration()) {
    return BadOption("slow_start_notice",
                     absl::FormatDuration(options.slow_start_notice),
                     "give a time above zero, or InfiniteDuration for never");
  }
  return absl::OkStatus();
}

absl::Status CheckTransport(const ClientOptions& options) {
  if (options.networks.empty()) {
    return BadOption("networks", "it is empty",
                     "allow at least one of unix and tcp");
  }
  if (options.min_port < 1 || options.max_port > 65535 ||
      options.min_port > options.max_port) {
    return BadOption(
        "min_port",
        absl::StrCat("ports ", options.min_port, " to ", options.max_port),
        "give a range within 1 to 65535");
  }
  return absl::OkStatus();
}

absl::Status CheckTls(const TlsOptions& tls) {
  // Less can be broken at home, and TLS 1.3's signatures need more.
  constexpr int kLeastRsaBits = 1024;
  if (tls.min_rsa_bits < kLeastRsaBits) {
    return BadOption("tls.min_rsa_bits",
                     absl::StrCat("it is ", tls.min_rsa_bits),
                     "set it to 2048, or to 1024 for the weakest keys");
  }
  if (tls.mode == TlsMode::kManual) {
    return ValidateManualTls({tls.root_certificates, tls.certificate_chain,
                              tls.private_key, tls.server_name});
  }
  if (tls.root_certificates.empty() && tls.certificate_chain.empty() &&
      tls.private_key.empty() && tls.server_name.empty()) {
    return absl::OkStatus();
  }
  return BadOption("tls", "certificates or a name are set, but not used",
                   "set tls.mode to TlsMode::kManual, or leave them empty");
}

absl::Status CheckLifetime(const Command& command,
                           const ClientOptions& options) {
  if (command.lifetime == Command::Lifetime::kDiesWithHost) {
    if (command.stderr_file.empty()) return absl::OkStatus();
    return BadOption("Command::stderr_file",
                     "the plugin dies with its host, which reads its stderr",
                     "leave it empty, or set lifetime to kOutlivesHost");
  }
  if (command.stdin_mode == Command::Stdin::kPipe) {
    return BadOption("Command::stdin_mode",
                     "kPipe with kOutlivesHost: the pipe ends with the host, "
                     "and the plugin with it",
                     "set stdin_mode to kDevNull, or lifetime to "
                     "kDiesWithHost");
  }
  if (HasNul(command.stderr_file)) {
    return BadOption("Command::stderr_file", "it holds a NUL byte",
                     "remove the NUL byte");
  }
  if (options.multiplex != Multiplex::kNever) {
    return BadOption("Command::lifetime",
                     "kOutlivesHost with multiplexing: the plugin's one "
                     "connection ends with the host",
                     "set multiplex to Multiplex::kNever");
  }
  if (options.tls.mode == TlsMode::kInsecure ||
      options.tls.mode == TlsMode::kManual) {
    return absl::OkStatus();
  }
  return BadOption(
      "Command::lifetime",
      "kOutlivesHost with AutoMTLS: the key of the one-time certificate that "
      "the plugin would trust dies with the host",
      "set tls.mode to TlsMode::kInsecure, or to TlsMode::kManual with "
      "certificates of your own");
}

}  // namespace

absl::Status CheckOptions(const Command& command,
                          const ClientOptions& options) {
  absl::Status status = CheckCommand(command);
  if (status.ok()) status = CheckLimits(command);
  if (status.ok()) status = CheckRunnerOptions(options);
  if (status.ok()) status = CheckLifetime(command, options);
  return status;
}

absl::Status CheckRunnerOptions(const ClientOptions& options) {
  absl::Status status = CheckHandshake(options.handshake);
  if (status.ok()) status = CheckWaits(options);
  if (status.ok()) status = CheckTransport(options);
  if (status.ok()) status = CheckTls(options.tls);
  return status;
}

absl::Status CheckJoinOptions(const ClientOptions& options) {
  if (options.multiplex == Multiplex::kRequire) {
    return MakeError(Reason::kMuxUnsupported,
                     "a plugin that runs already can't be multiplexed: its one "
                     "connection belongs to the host that started it",
                     "set multiplex to Multiplex::kIfOffered or kNever");
  }
  absl::Status status = CheckWaits(options);
  if (status.ok()) status = CheckTls(options.tls);
  return status;
}

}  // namespace goplugin::internal

#include "tests/plugins/server_flags.h"

#include <cstdio>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace server_plugin {
namespace {

struct Known {
  const char* name;
  const char* what;
};

constexpr Known kKnown[] = {
    {"lifetime", "=SECONDS; killed after that (120)"},
    {"cookie", "=VALUE that BASIC_PLUGIN must have (hello)"},
    // Before the line.
    {"delay", "=TIME before the line"},
    {"noise",
     "=KIND on stdout before the line: text, binary, five-pipes, "
     "10mb, long-line, blank, candidate"},
    {"stderr", "=TEXT on stderr before the line"},
    {"long-stderr-line", "=BYTES (10MB) without a newline, then one"},
    {"close-stderr", "closes stderr before the line"},
    {"grandchild",
     "=FILE; a child keeps the pipes until FILE is gone, or 20 s"},
    {"ignore-sigterm", ""},
    {"ends-with-stdin", "exits with 0 when its stdin ends"},
    // The line.
    {"line",
     "=FORMAT with {core} {app} {network} {address} {name} {port} {cert}, \\n "
     "\\r"},
    {"slow-line", "=TIME between two bytes of the line"},
    {"core", "=N core version (1)"},
    {"app", "=N application version, whatever the host offers"},
    {"versions", "=N,N versions to negotiate from (1)"},
    // Where it serves.
    {"network", "=unix, abstract, tcp or tcp6"},
    {"socket-name", "=NAME of the socket in its directory"},
    {"ignore-socket-dir",
     "puts the socket in TMPDIR or /tmp, as plugins "
     "before go-plugin 1.5"},
    {"delay-server", "=TIME between line and listener (unix)"},
    {"ends-with-connection", "exits with 0 when its last connection closes"},
    {"max-connection-age", "=TIME, and 100 ms more for what is under way"},
    {"default-message-limits", "leaves gRPC's 4 MB"},
    // TLS.
    {"tls", "=KIND, see README.md (auto)"},
    {"tls-key", "=p256, p384, p521, rsa1024, rsa2048 (p256)"},
    // After the line.
    {"after-line-stdout", "=TEXT raw on stdout right after the line"},
    {"close-stdout", "closes stdout after the line"},
    {"flood-stdout", "=LINES (no end), 10 per ms, raw, after the line"},
    {"flood-stderr", "=LINES (no end), 10 per ms, after the line"},
    {"stop-self", "SIGSTOP right after the line"},
    {"die-after-line", "=exit, abort or signal: right after the line"},
    {"die-after", "=TIME after the line, by SIGKILL"},
    // The broker.
    {"broker",
     "=ID:NETWORK:ADDRESS,... announced when the host opens the stream; "
     "nothing: an empty broker"},
    {"broker-flood", "=N announcements of ids 1 to N"},
    {"broker-endless",
     "=knocks, acks, refusals or announcements, without end; reads nothing"},
    {"broker-large", "=plain or bomb: one message with --large bytes"},
    // In calls.
    {"health",
     "=serving, not_serving, late, unimplemented, not_found, hang, "
     "slow, die, warming, large, bomb"},
    {"warming",
     "=TIME for which health is UNAVAILABLE, with --health=warming, or that "
     "each answer takes, with --health=slow"},
    {"large", "=BYTES of a message that is large, or compressed (a bomb)"},
    {"no-health", "same as --health=unimplemented"},
    {"shutdown", "=ok, ignore, hang, error, unimplemented or cut"},
    {"ignore-shutdown", "same as --shutdown=ignore"},
    {"no-controller", "same as --shutdown=unimplemented"},
    {"slow-exit", "=TIME between the Shutdown call and the exit"},
    {"exit-code", "=N after a polite Shutdown (0)"},
    {"stdio", "=serve, unimplemented, end, error or bomb"},
    {"die-in-call", "=exit, abort or signal: at the first Get or Put"},
};

[[noreturn]] void Usage(const std::string& complaint) {
  fprintf(stderr, "server_plugin: %s\n", complaint.c_str());
  for (const Known& known : kKnown) {
    fprintf(stderr, "  --%-24s %s\n", known.name, known.what);
  }
  exit(64);
}

bool IsKnown(absl::string_view name) {
  for (const Known& known : kKnown) {
    if (name == known.name) return true;
  }
  return false;
}

}  // namespace

Flags::Flags(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (!absl::ConsumePrefix(&argument, "--")) Usage("not a flag: --help");
    std::size_t equals = argument.find('=');
    absl::string_view name = argument.substr(0, equals);
    if (!IsKnown(name)) Usage(absl::StrCat("unknown flag --", name));
    absl::string_view value;
    if (equals != absl::string_view::npos) value = argument.substr(equals + 1);
    values_[absl::StrCat(name)] = absl::StrCat(value);
  }
  if (Has("no-health")) values_["health"] = "unimplemented";
  if (Has("ignore-shutdown")) values_["shutdown"] = "ignore";
  if (Has("no-controller")) values_["shutdown"] = "unimplemented";
}

bool Flags::Has(absl::string_view name) const {
  return values_.find(name) != values_.end();
}

std::string Flags::Get(absl::string_view name,
                       absl::string_view fallback) const {
  auto it = values_.find(name);
  bool given = it != values_.end() && !it->second.empty();
  if (given) return it->second;
  return {fallback.data(), fallback.size()};
}

int Flags::Number(absl::string_view name, int fallback) const {
  std::string text = Get(name, "");
  int number = fallback;
  if (!text.empty() && !absl::SimpleAtoi(text, &number)) {
    Usage(absl::StrCat("not a number: --", name));
  }
  return number;
}

std::size_t Flags::Bytes(absl::string_view name, std::size_t fallback) const {
  std::string text = Get(name, "");
  if (text.empty()) return fallback;
  absl::string_view digits = text;
  std::size_t unit = 1;
  if (absl::ConsumeSuffix(&digits, "MB")) unit = std::size_t{1} << 20;
  if (absl::ConsumeSuffix(&digits, "KB")) unit = std::size_t{1} << 10;
  std::size_t number = 0;
  if (!absl::SimpleAtoi(digits, &number)) {
    Usage(absl::StrCat("not a size: --", name));
  }
  return number * unit;
}

absl::Duration Flags::Time(absl::string_view name) const {
  absl::Duration duration = absl::ZeroDuration();
  std::string text = Get(name, "0");
  if (!absl::ParseDuration(text, &duration)) {
    Usage(absl::StrCat("not a time: --", name));
  }
  return duration;
}

}  // namespace server_plugin

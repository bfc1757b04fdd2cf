#include "goplugin/exit_status.h"

#include <csignal>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace goplugin {
namespace {

// The name a person knows the signal by; strsignal's text would depend on the
// host's locale.
const char* SignalName(int number) {
  switch (number) {
    case SIGHUP:
      return "SIGHUP";
    case SIGINT:
      return "SIGINT";
    case SIGQUIT:
      return "SIGQUIT";
    case SIGILL:
      return "SIGILL";
    case SIGTRAP:
      return "SIGTRAP";
    case SIGABRT:
      return "SIGABRT";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGKILL:
      return "SIGKILL";
    case SIGSEGV:
      return "SIGSEGV";
    case SIGPIPE:
      return "SIGPIPE";
    case SIGALRM:
      return "SIGALRM";
    case SIGTERM:
      return "SIGTERM";
    case SIGUSR1:
      return "SIGUSR1";
    case SIGUSR2:
      return "SIGUSR2";
    case SIGXCPU:
      return "SIGXCPU";
    case SIGXFSZ:
      return "SIGXFSZ";
    case SIGSYS:
      return "SIGSYS";
    default:
      return nullptr;
  }
}

}  // namespace

std::string ExitStatus::ToString() const {
  switch (kind) {
    case Kind::kExited:
      return absl::StrCat("exit code ", value);
    case Kind::kSignalled: {
      const char* name = SignalName(value);
      return absl::StrCat("signal ", value,
                          name == nullptr ? "" : absl::StrCat(" (", name, ")"),
                          core_dumped ? ", core dumped" : "");
    }
    case Kind::kUnknown:
      break;
  }
  return "unknown exit status";
}

}  // namespace goplugin

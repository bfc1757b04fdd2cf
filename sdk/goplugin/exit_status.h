#ifndef GOPLUGIN_EXIT_STATUS_H_
#define GOPLUGIN_EXIT_STATUS_H_

#include <string>

#include "goplugin/language.h"

namespace goplugin {

// How a plugin process ended. A plain value; copy it freely.
//
// kUnknown is normal, not an error: a host that ignores SIGCHLD, or that reaps
// every child with waitpid(-1), takes the status before this library can read
// it. The process is gone all the same.
struct ExitStatus {
  enum class Kind { kUnknown, kExited, kSignalled };

  Kind kind = Kind::kUnknown;
  // The exit code for kExited, the signal's number for kSignalled, 0 for
  // kUnknown.
  int value = 0;
  // Only for kSignalled: the kernel wrote a core file, or handed one to its
  // handler.
  bool core_dumped = false;

  // True for an exit with code 0.
  bool success() const { return kind == Kind::kExited && value == 0; }

  // "exit code 3", "signal 11 (SIGSEGV), core dumped", "unknown exit status".
  std::string ToString() const;

  friend bool operator==(const ExitStatus& a, const ExitStatus& b) {
    return a.kind == b.kind && a.value == b.value &&
           a.core_dumped == b.core_dumped;
  }
  friend bool operator!=(const ExitStatus& a, const ExitStatus& b) {
    return !(a == b);
  }
};

}  // namespace goplugin

#endif  // GOPLUGIN_EXIT_STATUS_H_

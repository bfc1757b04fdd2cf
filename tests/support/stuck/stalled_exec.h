#ifndef TESTS_SUPPORT_STUCK_STALLED_EXEC_H_
#define TESTS_SUPPORT_STUCK_STALLED_EXEC_H_

#include <string>

#include "absl/time/time.h"

namespace goplugin::testing {

// Whoever executes the file at `path` waits in the kernel while this lives, as
// with a virus scanner that takes its time. Takes root.
class StalledExec {
 public:
  explicit StalledExec(const std::string& path);
  ~StalledExec();
  StalledExec(const StalledExec&) = delete;
  StalledExec& operator=(const StalledExec&) = delete;

  // Whether somebody has come to wait, in time. Each counts once.
  bool AwaitOne(absl::Duration timeout) const;

 private:
  int fd_ = -1;
};

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_STUCK_STALLED_EXEC_H_

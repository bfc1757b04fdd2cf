#ifndef TESTS_SUPPORT_STALLED_EXEC_STALLED_EXEC_H_
#define TESTS_SUPPORT_STALLED_EXEC_STALLED_EXEC_H_

#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace goplugin::testing {

// Makes every exec of one file stand still, as a virus scanner or a dead file
// system does: whoever asks for it waits in the kernel, where it can still be
// killed. By a permission event of fanotify's, which takes CAP_SYS_ADMIN and a
// kernel that has them (CONFIG_FANOTIFY_ACCESS_PERMISSIONS): a test fails where
// either is missing.
//
// Thread-safe.
class StalledExec {
 public:
  // `path` is the program itself: a script's interpreter is another file.
  explicit StalledExec(const std::string& path);
  // Releases.
  ~StalledExec();
  StalledExec(const StalledExec&) = delete;
  StalledExec& operator=(const StalledExec&) = delete;

  // Whether as many execs as that have been asked for and stood still, within
  // 30 s. Counts from the start, those that have gone on or were killed, too.
  bool WaitFor(size_t count) const;

  // Lets those go on that stand still now, and with `for_good` all to come.
  void Release(bool for_good = true);

 private:
  void Read();
  void Answer(const std::vector<int>& files);

  int group_ = -1;
  // Told to end by closing the other end.
  int stop_read_ = -1;
  int stop_write_ = -1;
  std::thread reader_;
  mutable absl::Mutex mutex_;
  // An open descriptor for each event, by which it is answered.
  std::vector<int> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t seen_ ABSL_GUARDED_BY(mutex_) = 0;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_STALLED_EXEC_STALLED_EXEC_H_

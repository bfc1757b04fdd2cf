#ifndef GOPLUGIN_INTERNAL_SERVE_STARTER_H_
#define GOPLUGIN_INTERNAL_SERVE_STARTER_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/serve/host_output.h"

namespace goplugin::internal {

// A process that is no child of this one's, held by its descriptor where the
// system has such. Not thread-safe.
class ForeignProcess {
 public:
  // Nobody.
  ForeignProcess() = default;
  // Whoever has that number now.
  explicit ForeignProcess(pid_t pid);

  pid_t pid() const { return pid_; }
  bool lives() const;
  // Readable when it has ended; -1 where it can't be told so.
  int descriptor() const { return pidfd_.get(); }

 private:
  pid_t pid_ = 0;
  uint64_t start_time_ = 0;
  UniqueFd pidfd_;
};

// The process that has started this one, and reads its line.
struct Starter {
  ForeignProcess process;
  // It has the other end of stdout, a pipe: whatever it is, it is the host.
  // Else (a socket's can't be seen) it is the nearest ancestor whose own
  // outputs are others than this process's.
  bool reads_line = false;
  // The parent is of another pid namespace: nothing tells of its life.
  bool is_outside = false;
  // The shells and the like between it and this process.
  std::vector<ForeignProcess> between;
};

// To be asked at the start, before the line is written: whoever is to read that
// has the other end of stdout by then, and orphans have other parents later.
// `line` is stdout, nullptr where that tells nothing; `outputs` all that tell.
// May read all of /proc, for 100 ms at most, where the parent is gone already.
Starter FindStarter(const HostOutput* line,
                    const std::vector<HostOutput>& outputs);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_STARTER_H_

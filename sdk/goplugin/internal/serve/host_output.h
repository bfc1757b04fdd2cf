#ifndef GOPLUGIN_INTERNAL_SERVE_HOST_OUTPUT_H_
#define GOPLUGIN_INTERNAL_SERVE_HOST_OUTPUT_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <string>

#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// Descriptor 1 or 2 as it was at the start, and who is on its other end. Not
// thread-safe.
class HostOutput {
 public:
  explicit HostOutput(int descriptor);

  // A file, a terminal or /dev/null tells nothing of a host, nor do datagrams,
  // whose sender does not learn of the other end, and a FIFO that is open for
  // reading as well: this process is a reader of its own.
  bool tells() const;
  bool has_reader() const;
  // Whether `pid`'s own stdout or stderr is the same.
  bool IsSharedBy(pid_t pid) const;

  enum class OtherEnd { kHeld, kNotHeld, kUnknown };
  // Whether `pid` has the other end: of a pipe what /proc shows of it, of a
  // socket pair whether it has made that.
  OtherEnd OtherEndOf(pid_t pid) const;

  bool is_pipe() const { return S_ISFIFO(file_.st_mode); }
  int descriptor() const { return own_.get(); }

 private:
  UniqueFd own_;
  struct stat file_ = {};
  std::string name_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_HOST_OUTPUT_H_

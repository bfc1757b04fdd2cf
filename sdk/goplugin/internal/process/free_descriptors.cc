#include "goplugin/internal/process/free_descriptors.h"

#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {
namespace {

// More than gRPC, the loop and a launch need at first.
constexpr int kDescriptors = 24;

// 0, or the errno of the one that can't be had.
int TryToOpen() {
  std::array<UniqueFd, kDescriptors> taken;
  for (UniqueFd& descriptor : taken) {
    descriptor.reset(eventfd(0, EFD_CLOEXEC));
    if (!descriptor.valid()) return errno;
  }
  return 0;
}

}  // namespace

absl::Status CheckFreeDescriptors(absl::string_view whose) {
  const int error = TryToOpen();
  if (error == 0) return absl::OkStatus();
  ErrorDetails details;
  details.reason = Reason::kSpawn;
  details.what =
      absl::StrCat("the ", whose, " has no descriptors left to begin with");
  details.evidence = {
      absl::StrCat(std::strerror(error), "; ", kDescriptors, " are wanted")};
  details.hint = absl::StrCat("raise the ", whose,
                              "'s limit of open files (ulimit -n), or look "
                              "for descriptors that it leaks");
  return MakeError(details);
}

}  // namespace goplugin::internal

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

}  // namespace

absl::Status CheckFreeDescriptors(absl::string_view whose) {
  std::array<UniqueFd, kDescriptors> taken;
  for (UniqueFd& descriptor : taken) {
    descriptor.reset(eventfd(0, EFD_CLOEXEC));
    if (descriptor.valid()) continue;
    ErrorDetails details;
    details.reason = Reason::kSpawn;
    details.what =
        absl::StrCat("the ", whose, " has no descriptors left to begin with");
    details.evidence = {
        absl::StrCat(std::strerror(errno), "; ", kDescriptors, " are wanted")};
    details.hint = absl::StrCat("raise the ", whose,
                                "'s limit of open files (ulimit -n), or look "
                                "for descriptors that it leaks");
    return MakeError(details);
  }
  return absl::OkStatus();
}

}  // namespace goplugin::internal

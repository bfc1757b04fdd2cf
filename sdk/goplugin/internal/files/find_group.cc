#include "goplugin/internal/files/find_group.h"

#include <grp.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

// 0 also when there is none of that name.
int FindByName(const std::string& name, absl::optional<gid_t>* gid) {
  std::vector<char> buffer(4096);
  struct group entry;
  struct group* found = nullptr;
  int error_number = 0;
  // Groups with many members need more; 1 MiB is beyond any real one.
  while ((error_number = getgrnam_r(name.c_str(), &entry, buffer.data(),
                                    buffer.size(), &found)) == ERANGE &&
         buffer.size() < (1 << 20)) {
    buffer.resize(buffer.size() * 2);
  }
  if (found != nullptr) *gid = found->gr_gid;
  return error_number;
}

}  // namespace

absl::StatusOr<gid_t> FindGroup(const std::string& group) {
  absl::optional<gid_t> gid;
  const int error_number = FindByName(group, &gid);
  if (gid.has_value()) return *gid;
  uint32_t number = 0;
  // -1 would mean "no change" to chown.
  if (absl::SimpleAtoi(group, &number) &&
      number != std::numeric_limits<uint32_t>::max()) {
    return static_cast<gid_t>(number);
  }
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = absl::StrCat("the socket group ", Quote(group),
                              " can't be used for the socket directory");
  details.evidence = {error_number == 0
                          ? "no group of that name exists"
                          : absl::StrCat("looking up the group: ",
                                         std::strerror(error_number))};
  details.hint = "give the name of an existing group, or its number";
  return MakeError(details);
}

}  // namespace goplugin::internal

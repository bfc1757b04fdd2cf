#include "goplugin/by_version.h"

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/handshake/versions.h"

namespace goplugin::internal {

absl::Status NoHandlerForVersion(std::uint32_t negotiated,
                                 const std::vector<std::uint32_t>& handled) {
  ErrorDetails details;
  details.reason = Reason::kAppVersion;
  details.what = absl::StrCat("this host has no handler for version ",
                              negotiated, ", which it has negotiated itself");
  details.evidence = {
      absl::StrCat("there are handlers for ", FormatVersionSet(handled))};
  details.hint =
      "set handshake.protocol_versions to versions() of the same ByVersion";
  return MakeError(details);
}

}  // namespace goplugin::internal

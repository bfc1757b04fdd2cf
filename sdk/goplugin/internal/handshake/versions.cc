#include "goplugin/internal/handshake/versions.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {

absl::StatusOr<uint32_t> NegotiateVersion(absl::Span<const uint32_t> ours,
                                          absl::Span<const uint32_t> theirs) {
  absl::optional<uint32_t> best;
  for (const uint32_t version : ours) {
    if (best && version <= *best) continue;
    if (std::find(theirs.begin(), theirs.end(), version) != theirs.end()) {
      best = version;
    }
  }
  if (best) return *best;
  const std::string our_set = FormatVersionSet(ours);
  const std::string their_set = FormatVersionSet(theirs);
  ErrorDetails details;
  details.reason = Reason::kAppVersion;
  details.what = "No application protocol version in common";
  details.evidence = {absl::StrCat("this side supports ", our_set),
                      absl::StrCat("the other side supports ", their_set)};
  details.hint = absl::StrCat(
      "This side supports ", our_set, ", the other side ", their_set,
      ": add a version of the other side to handshake.protocol_versions, or "
      "use a host and a plugin that were built for the same version.");
  return MakeError(details);
}

std::vector<uint32_t> ParseVersionList(absl::string_view text) {
  std::vector<uint32_t> versions;
  for (const absl::string_view entry : absl::StrSplit(text, ',')) {
    const auto version = ParseVersion(absl::StripAsciiWhitespace(entry));
    if (version) versions.push_back(*version);
  }
  return versions;
}

absl::optional<uint32_t> ParseVersion(absl::string_view text) {
  uint32_t version = 0;
  if (!IsDigits(text) || !absl::SimpleAtoi(text, &version)) {
    return absl::nullopt;
  }
  return version;
}

bool IsDigits(absl::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isdigit(c); });
}

std::string FormatVersionSet(absl::Span<const uint32_t> versions) {
  const std::set<uint32_t> sorted(versions.begin(), versions.end());
  return absl::StrCat("{", absl::StrJoin(sorted, ", "), "}");
}

}  // namespace goplugin::internal

#include "goplugin/internal/handshake/line_error.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

constexpr absl::string_view kEndTextBefore =
    "Other text stands before the handshake line, on the same line: let that "
    "end with a newline, or go to stderr.";

}  // namespace

absl::Status ErrorInside(const LinePlace& place,
                         const HandshakePolicy& policy) {
  ErrorDetails details;
  if (place.kind == LinePlace::Kind::kInside) {
    details = GetErrorDetails(ParseHandshakeLine(place.line, policy).status())
                  .value_or(ErrorDetails());
    absl::StrAppend(&details.hint, " ", kEndTextBefore);
  } else {
    details.reason = Reason::kHandshakeMalformed;
    details.what =
        "The plugin's handshake line could begin at several places of one line";
    details.evidence = {
        absl::StrCat("from the first on: ", Quote(place.line, 512))};
    details.hint = std::string(kEndTextBefore);
  }
  details.evidence.push_back(
      absl::StrCat("before it: ", Quote(place.before, 256)));
  return MakeError(details);
}

absl::Status InTwoBytes(absl::string_view line) {
  ErrorDetails details;
  details.reason = Reason::kHandshakeMalformed;
  details.what = "The plugin writes its handshake line in UTF-16";
  details.evidence = {absl::StrCat("handshake line: ", Quote(line, 512))};
  details.hint =
      "Write ASCII or UTF-8 to stdout (in .NET: Console.OutputEncoding = new "
      "UTF8Encoding(false); in PowerShell: [Console]::OutputEncoding).";
  return MakeError(details);
}

absl::Status OverlongCandidate(absl::string_view start, size_t most) {
  ErrorDetails details;
  details.reason = Reason::kHandshakeMalformed;
  details.what = absl::StrCat("The plugin's handshake line is longer than ",
                              most, " bytes");
  details.evidence = {
      absl::StrCat("the line starts: ", Quote(start.substr(0, 256)))};
  details.hint =
      "Check that the program is a go-plugin plugin, and that it ends its "
      "handshake line with a newline.";
  return MakeError(details);
}

absl::Status UnendedLine(absl::string_view noise, size_t most) {
  ErrorDetails details;
  details.reason = Reason::kHandshakeMalformed;
  details.what =
      absl::StrCat("The plugin printed more than ", most,
                   " bytes without a newline, and no handshake line");
  details.evidence = {
      absl::StrCat("all of stdout: ", Quote(noise, kQuotedNoiseBytes))};
  details.hint =
      "Check that the program is a go-plugin plugin. What it prints before its "
      "handshake line must end with a newline, or go to stderr.";
  return MakeError(details);
}

}  // namespace goplugin::internal

#include "goplugin/internal/handshake/line_reader.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/handshake/versions.h"

namespace goplugin::internal {
namespace {

constexpr size_t kMaxUntakenNoise = size_t{64} * 1024;
// Room for both ends of the noise with every byte escaped once or twice.
constexpr size_t kQuotedNoiseBytes = size_t{4} * 1024 + 64;

// Digits, then '|': what a handshake line starts with and little else does.
bool IsCandidate(absl::string_view line) {
  const size_t bar = line.find('|');
  return bar != absl::string_view::npos && IsDigits(line.substr(0, bar));
}

// True when what is wrong with the line says that a plugin wrote it, only not
// for this host.
bool IsUnderstood(const absl::Status& error) {
  const auto details = GetErrorDetails(error);
  return details && (details->reason == Reason::kAppVersion ||
                     details->reason == Reason::kProtocol ||
                     details->reason == Reason::kServerCertificate);
}

// The path of the unix socket in a line of at least four fields, else "".
std::string UnixPathOf(absl::string_view line) {
  const std::vector<absl::string_view> fields =
      absl::StrSplit(line, absl::MaxSplits('|', 4));
  const bool names_one = fields.size() >= 4 &&
                         fields[2] == NetworkName(Endpoint::Network::kUnix) &&
                         absl::StartsWith(fields[3], "/");
  return names_one ? std::string(fields[3]) : "";
}

absl::Status NotOver() {
  return MakeError(Reason::kUnknown, "The handshake is not over",
                   "Wait for the plugin's handshake line.");
}

absl::Status OverlongCandidate(absl::string_view start) {
  ErrorDetails details;
  details.reason = Reason::kHandshakeMalformed;
  details.what = absl::StrCat("The plugin's handshake line is longer than ",
                              HandshakeReader::kMaxLineBytes, " bytes");
  details.evidence = {
      absl::StrCat("the line starts: ", Quote(start.substr(0, 256)))};
  details.hint =
      "Check that the program is a go-plugin plugin, and that it ends its "
      "handshake line with a newline.";
  return MakeError(details);
}

}  // namespace

HandshakeReader::HandshakeReader(HandshakePolicy policy)
    : policy_(std::move(policy)), result_(NotOver()) {}

HandshakeReader::State HandshakeReader::Feed(absl::string_view bytes) {
  // At twice of it, so that cutting it costs little per byte.
  if (untaken_noise_.size() > 2 * kMaxUntakenNoise) {
    untaken_noise_.erase(0, untaken_noise_.size() - kMaxUntakenNoise);
  }
  while (state_ != State::kDone && !bytes.empty()) {
    const size_t newline = bytes.find('\n');
    AppendToLine(bytes.substr(0, newline));
    if (newline == absl::string_view::npos) return state_;
    bytes.remove_prefix(newline + 1);
    EndLine();
  }
  rest_.append(bytes.data(), bytes.size());
  return state_;
}

HandshakeReader::State HandshakeReader::Finish(End end) {
  if (state_ == State::kDone) return state_;
  if (end == End::kSilence && state_ == State::kSearching) return state_;
  const bool more_could_come = end == End::kDeadline || end == End::kSilence;
  if (!more_could_come && Consider()) return state_;
  const bool newline_missing = ParseHandshakeLine(line_, policy_).ok();
  AddNoise(line_);
  line_.clear();
  Done(candidate_error_.ok() ? NoLineError(end, newline_missing)
                             : WithNoise(candidate_error_));
  return state_;
}

std::string HandshakeReader::TakeRest() { return std::exchange(rest_, {}); }

std::string HandshakeReader::TakeNoise() {
  return std::exchange(untaken_noise_, {});
}

void HandshakeReader::AppendToLine(absl::string_view piece) {
  if (skipping_) return AddNoise(piece);
  const size_t room = kMaxLineBytes - line_.size();
  line_.append(piece.data(), std::min(piece.size(), room));
  if (piece.size() > room) AbandonOverlongLine(piece.substr(room));
}

void HandshakeReader::AbandonOverlongLine(absl::string_view unread) {
  const absl::string_view start = absl::StripAsciiWhitespace(line_);
  if (IsCandidate(start)) {
    state_ = State::kCandidate;
    if (candidate_error_.ok()) candidate_error_ = OverlongCandidate(start);
  }
  AddNoise(line_);
  AddNoise(unread);
  line_ = std::string();
  skipping_ = true;
}

void HandshakeReader::EndLine() {
  if (!skipping_ && Consider()) return;
  AddNoise(line_);
  AddNoise("\n");
  line_.clear();
  skipping_ = false;
}

bool HandshakeReader::Consider() {
  const absl::string_view line = absl::StripAsciiWhitespace(line_);
  if (!IsCandidate(line)) return false;
  switch (JudgeHandshakeLine(line, policy_)) {
    case LineVerdict::kUsable:
      Done(ParseHandshakeLine(line, policy_));
      return true;
    case LineVerdict::kRefused:
      unused_socket_ = UnixPathOf(line);
      Done(WithNoise(ParseHandshakeLine(line, policy_).status()));
      return true;
    case LineVerdict::kOdd:
      KeepOdd(line);
  }
  return false;
}

void HandshakeReader::KeepOdd(absl::string_view line) {
  state_ = State::kCandidate;
  // One error is enough, and dear.
  if (!candidate_error_.ok()) return;
  candidate_error_ = ParseHandshakeLine(line, policy_).status();
  if (IsUnderstood(candidate_error_)) unused_socket_ = UnixPathOf(line);
}

void HandshakeReader::AddNoise(absl::string_view bytes) {
  noise_.Add(bytes);
  untaken_noise_.append(bytes.data(), bytes.size());
}

void HandshakeReader::Done(absl::StatusOr<HandshakeResponse> result) {
  result_ = std::move(result);
  line_ = std::string();
  state_ = State::kDone;
}

absl::Status HandshakeReader::WithNoise(const absl::Status& error) const {
  absl::optional<ErrorDetails> details = GetErrorDetails(error);
  if (!details || noise_.size() == 0) return error;
  details->evidence.push_back(absl::StrCat("all of stdout so far: ",
                                           Quote(noise(), kQuotedNoiseBytes)));
  return MakeError(*std::move(details));
}

absl::Status HandshakeReader::NoLineError(End end, bool newline_missing) const {
  ErrorDetails details;
  if (end == End::kDeadline) {
    details.reason = Reason::kHandshakeTimeout;
    details.what = "The plugin printed no handshake line in time";
    details.hint =
        newline_missing
            ? "The plugin printed its handshake line without a newline at the "
              "end, or did not flush it: the line counts when its newline has "
              "arrived."
            : "Check that the program is a go-plugin plugin, that it prints "
              "its handshake line to stdout and flushes it, and that the start "
              "timeout is long enough.";
  } else {
    details.reason = Reason::kExitedEarly;
    details.what =
        end == End::kExited
            ? "The plugin exited before it printed its handshake line"
            : "The plugin closed its stdout before it printed its handshake "
              "line";
    details.hint =
        "Check what the plugin wrote, that the program is a go-plugin plugin, "
        "and that the magic cookie's key and value are the ones it expects.";
  }
  details.evidence = {
      noise_.size() == 0
          ? "nothing was written to stdout"
          : absl::StrCat("all of stdout: ", Quote(noise(), kQuotedNoiseBytes))};
  return MakeError(details);
}

}  // namespace goplugin::internal

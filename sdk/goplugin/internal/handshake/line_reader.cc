#include "goplugin/internal/handshake/line_reader.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/handshake/line_error.h"
#include "goplugin/internal/handshake/line_place.h"

namespace goplugin::internal {
namespace {

constexpr size_t kMaxUntakenNoise = size_t{64} * 1024;

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

// Whether a newline is all that `text` lacks.
bool IsUsable(absl::string_view text, const HandshakePolicy& policy) {
  std::string storage;
  const absl::string_view plain = PlainLine(text, &storage);
  const LinePlace inside = PlaceInside(plain, policy);
  const bool is_inside = inside.kind == LinePlace::Kind::kInside;
  return ParseHandshakeLine(plain, policy).ok() ||
         (is_inside && ParseHandshakeLine(inside.line, policy).ok());
}

absl::Status NotOver() {
  return MakeError(Reason::kUnknown, "The handshake is not over",
                   "Wait for the plugin's handshake line.");
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
    if (state_ == State::kDone) {
      bytes.remove_prefix(newline);
      break;
    }
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
  const bool newline_missing = IsUsable(line_, policy_);
  AddNoise(line_);
  line_.clear();
  if (!candidate_error_.ok()) {
    Done(WithNoise(candidate_error_));
  } else {
    Done(end == End::kSilence ? UnendedLine(noise(), kMaxLineBytes)
                              : NoLineError(end, newline_missing));
  }
  return state_;
}

std::string HandshakeReader::TakeRest() { return std::exchange(rest_, {}); }

std::string HandshakeReader::TakeNoise() {
  return std::exchange(untaken_noise_, {});
}

void HandshakeReader::AppendToLine(absl::string_view piece) {
  if (skipping_) return SkipMore(piece);
  const size_t taken = std::min(piece.size(), kMaxLineBytes - line_.size());
  line_.append(piece.begin(), piece.begin() + taken);
  if (taken < piece.size()) AbandonOverlongLine(piece.substr(taken));
}

void HandshakeReader::AbandonOverlongLine(absl::string_view unread) {
  std::string storage;
  const absl::string_view start = PlainLine(line_, &storage);
  const bool is_front = PlaceAtFront(start).kind == LinePlace::Kind::kFront;
  if (is_front && candidate_error_.ok()) {
    candidate_error_ = OverlongCandidate(start, kMaxLineBytes);
  }
  state_ = State::kCandidate;
  AddNoise(line_);
  skipped_ = line_.size();
  line_ = std::string();
  skipping_ = true;
  SkipMore(unread);
}

void HandshakeReader::SkipMore(absl::string_view piece) {
  AddNoise(piece);
  skipped_ += piece.size();
  if (skipped_ > kMaxUnendedBytes) {
    Done(candidate_error_.ok() ? UnendedLine(noise(), kMaxLineBytes)
                               : WithNoise(candidate_error_));
  }
}

void HandshakeReader::EndLine() {
  if (!skipping_ && Consider()) return;
  AddNoise(line_);
  AddNoise("\n");
  line_.clear();
  skipping_ = false;
  state_ = candidate_error_.ok() ? State::kSearching : State::kCandidate;
}

bool HandshakeReader::Consider() {
  std::string storage;
  const absl::string_view text = PlainLine(line_, &storage);
  const LinePlace front = PlaceAtFront(text);
  if (front.kind == LinePlace::Kind::kFront) {
    switch (JudgeHandshakeLine(text, policy_)) {
      case LineVerdict::kUsable:
        Done(ParseHandshakeLine(text, policy_));
        return true;
      case LineVerdict::kRefused:
        unused_socket_ = UnixPathOf(text);
        Done(WithNoise(ParseHandshakeLine(text, policy_).status()));
        return true;
      case LineVerdict::kOdd:
        break;
    }
  }
  const LinePlace inside = PlaceInside(text, policy_);
  if (inside.kind == LinePlace::Kind::kInside &&
      JudgeHandshakeLine(inside.line, policy_) == LineVerdict::kUsable) {
    AddNoise(inside.before);
    Done(ParseHandshakeLine(inside.line, policy_));
    return true;
  }
  if (front.kind != LinePlace::Kind::kNone) {
    KeepOdd(front);
  } else if (inside.kind != LinePlace::Kind::kNone) {
    KeepOdd(inside);
  }
  return false;
}

void HandshakeReader::KeepOdd(const LinePlace& place) {
  state_ = State::kCandidate;
  // One error is enough, and dear.
  if (!candidate_error_.ok()) return;
  switch (place.kind) {
    case LinePlace::Kind::kTwoBytes:
      candidate_error_ = InTwoBytes(place.line);
      return;
    case LinePlace::Kind::kInside:
    case LinePlace::Kind::kUnclear:
      candidate_error_ = ErrorInside(place, policy_);
      return;
    case LinePlace::Kind::kFront:
    case LinePlace::Kind::kNone:
      break;
  }
  candidate_error_ = ParseHandshakeLine(place.line, policy_).status();
  if (IsUnderstood(candidate_error_)) unused_socket_ = UnixPathOf(place.line);
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
  // The line alone is there already.
  const std::string quoted = Quote(absl::StripAsciiWhitespace(noise()));
  if (!details->evidence.empty() &&
      absl::EndsWith(details->evidence.back(), quoted)) {
    return error;
  }
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

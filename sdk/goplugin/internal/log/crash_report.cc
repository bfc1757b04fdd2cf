#include "goplugin/internal/log/crash_report.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace goplugin::internal {
namespace {

constexpr absl::string_view kTracebackHead =
    "Traceback (most recent call last):";

// Lines between two chained tracebacks.
bool IsChain(absl::string_view line) {
  return line ==
             "During handling of the above exception, another exception "
             "occurred:" ||
         line ==
             "The above exception was the direct cause of the following "
             "exception:";
}

// "SIGSEGV: segmentation violation", as Go's runtime says of a signal.
bool IsSignal(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, "SIG")) return false;
  const size_t colon = line.substr(0, 12).find(':');
  if (colon == absl::string_view::npos || colon < 2) return false;
  for (const unsigned char c : line.substr(0, colon)) {
    if (!absl::ascii_isupper(c)) return false;
  }
  return absl::StartsWith(line.substr(colon), ": ");
}

// "==123==ERROR: AddressSanitizer: ..." and its relatives.
bool IsSanitizer(absl::string_view line) {
  if (!absl::StartsWith(line, "==")) return false;
  const absl::string_view front = line.substr(0, 64);
  return absl::StrContains(front, "==ERROR: ") &&
         absl::StrContains(front, "Sanitizer: ");
}

// "thread 'main' panicked at ...", newer ones with a number behind the name.
bool IsRustPanic(absl::string_view line) {
  return absl::StartsWith(line, "thread '") &&
         absl::StrContains(line.substr(0, 256), " panicked at ");
}

// Go's own word for it ends every report before it and starts a new one.
bool IsGoPanic(absl::string_view line) {
  return absl::StartsWith(line, "panic: ");
}

bool IsLastWord(absl::string_view line) {
  return absl::StartsWith(line, "fatal error: ") ||
         absl::StartsWith(line, "terminate called ") || IsSignal(line) ||
         IsSanitizer(line);
}

// The frame that the rich library draws around a traceback.
bool IsBoxed(absl::string_view line) {
  return absl::StartsWith(line, "\xE2\x94") ||
         absl::StartsWith(line, "\xE2\x95");
}

bool IsIndented(absl::string_view line) {
  return absl::StartsWith(line, " ") || absl::StartsWith(line, "\t") ||
         IsBoxed(line);
}

}  // namespace

CrashReport::State CrashReport::Begin(absl::string_view line) const {
  if (IsGoPanic(line) || IsLastWord(line)) return State::kToTheEnd;
  if (IsRustPanic(line)) return State::kToTheNextTagged;
  if (absl::StartsWith(line, kTracebackHead)) return State::kTraceback;
  if (absl::StartsWith(line, "  + Exception Group Traceback")) {
    return State::kGroup;
  }
  if (IsBoxed(line) &&
      absl::StrContains(line.substr(0, 512), "Traceback (most recent call")) {
    return State::kTraceback;
  }
  return State::kNone;
}

bool CrashReport::Add(absl::string_view line, bool continued) {
  if (!continued) return AddStart(line);
  if (state_ == State::kNone) return false;
  text_.AddLine(line);
  return true;
}

bool CrashReport::AddStart(absl::string_view line) {
  if (state_ == State::kToTheEnd) {
    if (IsGoPanic(line)) text_.Clear();
    text_.AddLine(line);
    return true;
  }
  const State begun = Begin(line);
  if (begun != State::kNone) {
    const bool chained = state_ == State::kTraceback;
    if (!chained) text_.Clear();
    state_ = begun;
    text_.AddLine(line);
    return true;
  }
  if (state_ == State::kNone) return false;
  if (state_ != State::kToTheNextTagged && !AddToTraceback(line)) return false;
  text_.AddLine(line);
  return true;
}

bool CrashReport::AddToTraceback(absl::string_view line) {
  if (IsChain(line)) {
    // What comes next is a traceback again, and part of this report.
    state_ = State::kTraceback;
    return true;
  }
  if (state_ == State::kAfterTraceback) {
    if (!absl::StripAsciiWhitespace(line).empty()) state_ = State::kNone;
    return false;
  }
  if (IsIndented(line)) return true;
  if (absl::StripAsciiWhitespace(line).empty()) return false;
  const bool is_exception = state_ == State::kTraceback;
  state_ = is_exception ? State::kAfterTraceback : State::kNone;
  return is_exception;
}

void CrashReport::SkipTagged() {
  if (state_ == State::kToTheNextTagged) state_ = State::kNone;
}

}  // namespace goplugin::internal

#include "examples/host/console.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace host {
namespace {

constexpr int kTagWidth = 10;

bool WantsColor(std::FILE* stream) {
  const char* term = std::getenv("TERM");
  return std::getenv("NO_COLOR") == nullptr && term != nullptr &&
         std::strcmp(term, "dumb") != 0 && isatty(fileno(stream)) == 1;
}

const char* ColorCode(Console::Tone tone) {
  switch (tone) {
    case Console::Tone::kPlain:
      return "\033[36m";
    case Console::Tone::kFaint:
      return "\033[2m";
    case Console::Tone::kGood:
      return "\033[32m";
    case Console::Tone::kWarning:
      return "\033[33m";
    case Console::Tone::kBad:
      return "\033[31m";
  }
  return "";
}

// A plugin's text may hold anything; what could steer the terminal is shown as
// a question mark.
std::string Printable(absl::string_view text) {
  std::string printable(text);
  for (char& c : printable) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c)) && c != '\t') {
      c = '?';
    }
  }
  return printable;
}

std::string Tag(absl::string_view tag, Console::Tone tone, bool color) {
  std::string padded = absl::StrFormat("%-*s", kTagWidth, tag);
  if (!color) return padded;
  return absl::StrCat(ColorCode(tone), padded, "\033[0m");
}

std::string Format(absl::string_view tag, absl::string_view text,
                   Console::Tone tone, bool color) {
  std::string formatted = Tag(tag, tone, color);
  bool first = true;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!first && !line.empty()) formatted.append(kTagWidth, ' ');
    absl::StrAppend(&formatted, Printable(line), "\n");
    first = false;
  }
  return formatted;
}

void Write(std::FILE* stream, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

}  // namespace

void Console::Say(absl::string_view tag, absl::string_view text, Tone tone) {
  const std::string entry = Format(tag, text, tone, WantsColor(stdout));
  const std::lock_guard<std::mutex> lock(mutex_);
  Write(stdout, entry);
}

void Console::Complain(absl::string_view tag, absl::string_view text,
                       Tone tone) {
  const std::string entry = Format(tag, text, tone, WantsColor(stderr));
  const std::lock_guard<std::mutex> lock(mutex_);
  Write(stderr, entry);
}

}  // namespace host

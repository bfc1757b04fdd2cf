#include "goplugin/testing/internal/script_arguments.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"

namespace goplugin::testing {
namespace {

// A way to and from text for each kind of member. Escapes, because an argument
// holds no NUL.
std::string Write(const std::string& text) { return absl::CEscape(text); }
std::string Write(int number) { return absl::StrCat(number); }
std::string Write(std::uint32_t number) { return absl::StrCat(number); }
std::string Write(absl::Duration time) { return absl::FormatDuration(time); }
std::string Write(const ExitStatus& status) {
  return absl::StrCat(
      status.kind == ExitStatus::Kind::kSignalled ? "signal:" : "exit:",
      status.value);
}

bool Read(absl::string_view value, std::string* text) {
  return absl::CUnescape(value, text);
}
bool Read(absl::string_view value, int* number) {
  return absl::SimpleAtoi(value, number);
}
bool Read(absl::string_view value, bool* flag) {
  return absl::SimpleAtob(value, flag);
}
bool Read(absl::string_view value, absl::Duration* time) {
  return absl::ParseDuration(value, time);
}
bool Read(absl::string_view value, ExitStatus* status) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(value, absl::MaxSplits(':', 1));
  if (parts.first != "exit" && parts.first != "signal") return false;
  status->kind = parts.first == "exit" ? ExitStatus::Kind::kExited
                                       : ExitStatus::Kind::kSignalled;
  return absl::SimpleAtoi(parts.second, &status->value);
}
bool Read(absl::string_view value, std::vector<std::uint32_t>* numbers) {
  numbers->emplace_back();
  return absl::SimpleAtoi(value, &numbers->back());
}
template <typename T>
bool Read(absl::string_view value, absl::optional<T>* member) {
  return Read(value, &member->emplace());
}

// Each member's name, once for both ways.
template <typename Script, typename Visitor>
void VisitMembers(Script& script, Visitor visit) {
  visit("cookie_key", script.handshake.magic_cookie_key);
  visit("cookie_value", script.handshake.magic_cookie_value);
  visit("version", script.handshake.protocol_versions);
  visit("stderr", script.stderr_text);
  visit("log_lines", script.log_lines);
  visit("start_delay", script.start_delay);
  visit("end_at_start", script.end_at_start);
  visit("line", script.line);
  visit("end_in_call", script.end_in_call);
  visit("hang_in_call", script.hang_in_call);
  visit("ignore_shutdown", script.ignore_shutdown);
}

struct Writer {
  std::vector<std::string>& arguments;

  template <typename T>
  void operator()(absl::string_view name, const T& member) const {
    arguments.push_back(absl::StrCat(name, "=", Write(member)));
  }
  void operator()(absl::string_view name, bool member) const {
    arguments.push_back(absl::StrCat(name, member ? "=true" : "=false"));
  }
  template <typename T>
  void operator()(absl::string_view name,
                  const absl::optional<T>& member) const {
    if (member.has_value()) (*this)(name, *member);
  }
  template <typename T>
  void operator()(absl::string_view name, const std::vector<T>& member) const {
    for (const T& element : member) (*this)(name, element);
  }
};

bool ReadMember(absl::string_view argument, ScriptedPlugin& script) {
  const std::size_t equals = argument.find('=');
  if (equals == absl::string_view::npos) return false;
  const absl::string_view value = argument.substr(equals + 1);
  bool read = false;
  VisitMembers(script, [&](absl::string_view name, auto& member) {
    if (name == argument.substr(0, equals)) read = Read(value, &member);
  });
  return read;
}

}  // namespace

std::vector<std::string> WriteScript(const ScriptedPlugin& script) {
  std::vector<std::string> arguments;
  VisitMembers(script, Writer{arguments});
  return arguments;
}

absl::optional<ScriptedPlugin> ReadScript(
    absl::Span<const char* const> arguments) {
  ScriptedPlugin script;
  for (const char* argument : arguments) {
    if (!ReadMember(argument, script)) return absl::nullopt;
  }
  return script;
}

}  // namespace goplugin::testing

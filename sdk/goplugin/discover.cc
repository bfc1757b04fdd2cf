#include "goplugin/discover.h"

#include <fnmatch.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin {
namespace {

// fnmatch takes a '[' without an end for a character like any other. Returns
// the position after the class that begins at `start`, or npos.
std::size_t EndOfClass(absl::string_view glob, std::size_t start) {
  std::size_t i = start + 1;
  if (i < glob.size() && (glob[i] == '!' || glob[i] == '^')) ++i;
  // Right after the start it stands for itself.
  if (i < glob.size() && glob[i] == ']') ++i;
  while (i < glob.size() && glob[i] != ']') i += glob[i] == '\\' ? 2 : 1;
  return i < glob.size() ? i + 1 : absl::string_view::npos;
}

// What is wrong with it, "" for a good one.
std::string Malformation(absl::string_view glob) {
  if (glob.empty()) return "it is empty";
  if (glob.find('\0') != absl::string_view::npos) return "it holds a NUL";
  if (glob.find('/') != absl::string_view::npos) return "it holds a '/'";
  for (std::size_t i = 0; i < glob.size();) {
    if (glob[i] == '[') {
      i = EndOfClass(glob, i);
      if (i == absl::string_view::npos) return "a '[' has no ']'";
    } else if (glob[i] == '\\') {
      i += 2;
      if (i > glob.size()) return "nothing follows the last '\\'";
    } else {
      ++i;
    }
  }
  return "";
}

absl::Status BadGlob(absl::string_view glob, std::string why) {
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what =
      absl::StrCat("no plugin can be found by ", internal::Quote(glob));
  details.evidence = {std::move(why)};
  details.hint =
      "give a pattern for names, such as \"kv-plugin-*\", and the folder as "
      "`directory`; put a '\\' before a '[' that is meant literally";
  return internal::MakeError(details);
}

absl::Status BadDirectory(const std::string& directory,
                          const std::error_code& error) {
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = absl::StrCat("the plugins' directory ",
                              internal::Quote(directory), " can't be read");
  details.evidence = {error.message()};
  std::error_code ignored;
  details.evidence.push_back(absl::StrCat(
      "the host's current directory is ",
      internal::Quote(std::filesystem::current_path(ignored).string())));
  details.hint =
      "give a directory that exists and that this user may read; \".\" is the "
      "current one";
  return internal::MakeError(details);
}

// Not "..": behind a link it leads elsewhere than the text says.
std::filesystem::path WithoutDots(const std::filesystem::path& path) {
  std::filesystem::path result;
  for (const std::filesystem::path& part : path) {
    if (!part.empty() && part != ".") result /= part;
  }
  return result;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> Discover(
    absl::string_view glob, const std::string& directory) {
  const std::string malformation = Malformation(glob);
  if (!malformation.empty()) return BadGlob(glob, malformation);
  const std::string pattern(glob);

  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  std::vector<std::string> names;
  while (!error && entry != std::filesystem::directory_iterator()) {
    std::string name = entry->path().filename().string();
    if (fnmatch(pattern.c_str(), name.c_str(), FNM_PERIOD) == 0) {
      names.push_back(std::move(name));
    }
    entry.increment(error);
  }
  const std::filesystem::path absolute =
      error ? "" : std::filesystem::absolute(directory, error);
  if (error) return BadDirectory(directory, error);

  const std::filesystem::path folder = WithoutDots(absolute);
  std::sort(names.begin(), names.end());
  for (std::string& name : names) {
    name = (folder / name).string();
  }
  return names;
}

}  // namespace goplugin

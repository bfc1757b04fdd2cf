#ifndef GOPLUGIN_DISCOVER_H_
#define GOPLUGIN_DISCOVER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "goplugin/language.h"

namespace goplugin {

// The absolute paths of what lies in `directory` and has a name that `glob`
// matches, sorted by name; empty when there is nothing. A path may go straight
// into Command::path.
//
// `glob` is a shell's pattern for names: `*` and `?` do not match a leading
// dot, `[a-z]` and `[!a-z]` are classes, `\` takes the meaning away from the
// next character. It holds no '/': folders below are not searched. The name
// alone decides: whether it is a file, and one that can be run, is for
// Client::Launch to say, which does so in detail.
//
// `directory` is taken literally, and may be relative to the host's current
// directory. Whoever may write there chooses what this host runs.
//
// Errors: kOptions for a malformed glob, and for a directory that is not there
// or can't be read.
//
// Example:
//   absl::StatusOr<std::vector<std::string>> plugins =
//       goplugin::Discover("kv-plugin-*", "/usr/lib/kv/plugins");
absl::StatusOr<std::vector<std::string>> Discover(absl::string_view glob,
                                                  const std::string& directory);

}  // namespace goplugin

#endif  // GOPLUGIN_DISCOVER_H_

#ifndef GOPLUGIN_INTERNAL_FILES_LENDING_H_
#define GOPLUGIN_INTERNAL_FILES_LENDING_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "goplugin/command.h"
#include "goplugin/internal/files/directory.h"

namespace goplugin::internal {

// Who besides the host may use what is made for a plugin. A value.
struct Sharing {
  // The socket group.
  absl::optional<gid_t> group = absl::nullopt;
  // The plugin's user, where that is another than the host's.
  absl::optional<Command::User> user = absl::nullopt;

  // The group that gets as far as the host's brokered sockets; nullopt for
  // nobody but this user.
  absl::optional<gid_t> BrokeredGroup() const;
};

// Gives a new directory of mode 0700 to the plugin: to the group with mode
// 0770, and to the user. Errors: kOptions for the group (called `group_name`),
// kSpawn for the user.
absl::Status LendDirectory(const Directory& directory, const Sharing& sharing,
                           const std::string& group_name);

// Lets the members of `group` pass through a directory of mode 0700 of this
// user's. Errors: kTransport.
absl::Status OpenToGroup(const Directory& directory, gid_t group);

// How a directory was lent by another process.
Sharing SharingOf(const Directory& lent);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_LENDING_H_

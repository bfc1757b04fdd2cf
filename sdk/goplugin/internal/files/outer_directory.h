#ifndef GOPLUGIN_INTERNAL_FILES_OUTER_DIRECTORY_H_
#define GOPLUGIN_INTERNAL_FILES_OUTER_DIRECTORY_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/files/places.h"
#include "goplugin/internal/files/removal.h"
#include "goplugin/internal/files/time_limit.h"

namespace goplugin::internal {

// How long the end of a client waits for the removal of its files. What is left
// then goes on later, or is left to the next sweep.
constexpr absl::Duration kRemovalWait = absl::Milliseconds(800);

// A directory "goplugin-XXXXXX" of this user, mode 0711, in which everything
// lies that this process makes for one plugin (or, in a plugin, for itself):
// others may pass, and neither list nor change it. What is in it has names of
// one letter, because a socket's path is short.
//
// While the object lives it holds an flock on the directory. That tells the
// living from the dead for the sweep (sweep.h), and keeps systemd-tmpfiles from
// sweeping idle sockets away. It removes the directory when it goes, unless
// that takes longer than kRemovalWait.
//
// The const methods are thread-safe. In a forked copy of the process it removes
// nothing.
class OuterDirectory {
 public:
  // In the first place that can be written to, is short enough, lets the user
  // in, and lets a socket be bound, which is tried. May block. Errors: kOptions
  // when the option can't be used, else kTransport; each names what is wrong
  // with every place.
  static absl::StatusOr<std::unique_ptr<OuterDirectory>> Make(
      const PlaceRequest& request);

  // Takes over the directory `name` in `base` that another process made and has
  // left. nullptr when it is not this user's or none of this layout, or
  // somebody lives in it.
  static std::unique_ptr<OuterDirectory> TakeOver(const std::string& base,
                                                  const std::string& name);

  ~OuterDirectory();
  OuterDirectory(const OuterDirectory&) = delete;
  OuterDirectory& operator=(const OuterDirectory&) = delete;

  const Directory& directory() const { return directory_; }
  // When it was made, by the kernel's clock for files.
  std::int64_t stamp_ns() const { return stamp_ns_; }

  // Removes the directory with all that is in it, within the limit.
  Removal RemoveSome(const TimeLimit& limit);
  // Leaves the directory where it is when the object goes.
  void Keep() { is_over_ = true; }

 private:
  OuterDirectory(Directory base, Directory directory, std::string name);

  static absl::StatusOr<std::unique_ptr<OuterDirectory>> MakeIn(
      const std::string& path);
  // Whether the name in the base still is this directory's; nullopt when the
  // system does not tell.
  absl::optional<bool> HasItsName() const;

  const Directory base_;
  const Directory directory_;
  const std::string name_;
  const pid_t owner_;  // the process that made it
  std::int64_t stamp_ns_ = 0;
  bool is_over_ = false;
};

// Whether an object of this process has the directory with that inode number,
// on whatever device: spares the sweep a look at it. Thread-safe.
bool IsOwnOuterInode(std::uint64_t inode);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_OUTER_DIRECTORY_H_

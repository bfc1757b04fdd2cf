#ifndef GOPLUGIN_INTERNAL_FILES_OUTER_DIRECTORY_H_
#define GOPLUGIN_INTERNAL_FILES_OUTER_DIRECTORY_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/command.h"
#include "goplugin/internal/files/caller_places.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/files/mark.h"
#include "goplugin/internal/files/removal.h"

namespace goplugin::internal {

// Where an outer directory may be made.
struct PlaceRequest {
  // Alone if it is given. Relative ones start at the caller's working
  // directory.
  std::string option = {};
  // Else the first of its runtime directory, its temporary directory, /tmp and
  // its socket directory that will do.
  CallerPlaces caller = {};
  // Who else must be able to get there, if anybody.
  absl::optional<Command::User> user = absl::nullopt;
};

// A directory "goplugin-XXXXXX" of this user, mode 0711, in which everything
// lies that this process makes for one plugin (or, in a plugin, for itself):
// others may pass, and neither list nor change it. What is in it has names of
// one letter, because a socket's path is short.
//
// While the object lives it holds an flock on the directory: that tells the
// living from the dead for the sweep (sweep.h), and keeps systemd-tmpfiles from
// sweeping idle sockets away. It removes the directory when it goes, as far as
// that takes no longer than kRemovalWait; what is left is the next sweep's.
//
// Thread-safe but for its end. In a forked copy of the process it removes
// nothing.
class OuterDirectory {
 public:
  // In the first place that can be written to, is short enough, lets the user
  // in and lets a socket be bound. May block. Errors: kOptions when the option
  // can't be used, else kTransport; each names what is wrong with each place.
  static absl::StatusOr<std::unique_ptr<OuterDirectory>> Make(
      const PlaceRequest& request);

  // Takes over the directory at `path` that another process made and kept;
  // nullptr when it is none of this user's, or somebody lives in it.
  static std::unique_ptr<OuterDirectory> Adopt(const std::string& path);

  ~OuterDirectory();
  OuterDirectory(const OuterDirectory&) = delete;
  OuterDirectory& operator=(const OuterDirectory&) = delete;

  const Directory& directory() const { return directory_; }
  // Where its path leads to something else by now, or nowhere.
  bool IsGone() const { return !directory_.IsAtItsPath(); }

  // Says in the directory that a plugin outlives this host, so that no sweep
  // removes it while that plugin lives.
  absl::Status SetMark(const Mark& mark) const;
  // nullopt when there is none.
  absl::optional<Mark> ReadMark() const;

  // Removes the directory with all that is in it, until the deadline. May be
  // called again. kDone also after Keep.
  Removal RemoveSome(absl::Time deadline);

  // Leaves the directory where it is when the object goes.
  void Keep();

 private:
  OuterDirectory(Directory base, Directory directory, std::string name);

  Directory base_;
  Directory directory_;
  const std::string name_;
  const pid_t owner_;  // the process that made it
  bool removed_ = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_OUTER_DIRECTORY_H_

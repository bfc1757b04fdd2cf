#ifndef GOPLUGIN_INTERNAL_FILES_PLACES_H_
#define GOPLUGIN_INTERNAL_FILES_PLACES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/command.h"
#include "goplugin/internal/files/caller_places.h"

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

struct Place {
  // Absolute, without a slash at the end; "" if it can't be made so.
  std::string path = {};
  // Why it won't do, as far as its path tells; "" for nothing.
  std::string problem = {};
};

// In the order in which they are to be tried. Looks at directories, changes
// nothing.
std::vector<Place> FindPlaces(const PlaceRequest& request);

// The names of outer directories: "goplugin-" and six letters or digits.
constexpr char kOuterPrefix[] = "goplugin-";
bool IsOuterName(absl::string_view name);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_PLACES_H_

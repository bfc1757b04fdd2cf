#ifndef GOPLUGIN_INTERNAL_FILES_CALLER_PLACES_H_
#define GOPLUGIN_INTERNAL_FILES_CALLER_PLACES_H_

#include <string>

namespace goplugin::internal {

// What the usual places for directories depend on: the environment and the
// current directory of whoever calls the library. A value, to be read on the
// caller's thread before its call returns; the directories are made later and
// elsewhere, when both may be others.
struct CallerPlaces {
  std::string runtime_directory = {};    // XDG_RUNTIME_DIR
  std::string temporary_directory = {};  // TMPDIR
  std::string socket_directory = {};     // PLUGIN_UNIX_SOCKET_DIR
  std::string working_directory = {};    // "" if it is gone
};

// Reads the environment, so no other thread may change it meanwhile.
CallerPlaces ReadCallerPlaces();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_CALLER_PLACES_H_

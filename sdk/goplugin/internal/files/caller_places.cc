#include "goplugin/internal/files/caller_places.h"

#include <stdlib.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace goplugin::internal {
namespace {

std::string Variable(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

std::string WorkingDirectory() {
  const std::unique_ptr<char, decltype(&std::free)> path(getcwd(nullptr, 0),
                                                         &std::free);
  // What can't be reached from the root is given as "(unreachable)...".
  return path == nullptr || *path != '/' ? "" : path.get();
}

}  // namespace

CallerPlaces ReadCallerPlaces() {
  CallerPlaces places;
  places.runtime_directory = Variable("XDG_RUNTIME_DIR");
  places.temporary_directory = Variable("TMPDIR");
  places.socket_directory = Variable("PLUGIN_UNIX_SOCKET_DIR");
  places.working_directory = WorkingDirectory();
  return places;
}

}  // namespace goplugin::internal

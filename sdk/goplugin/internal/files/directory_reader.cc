#include "goplugin/internal/files/directory_reader.h"

#include <fcntl.h>

#include <cstring>

#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

DirectoryReader::DirectoryReader(int fd) {
  // The stream wants a descriptor, and a read position, of its own.
  UniqueFd own(
      openat(fd, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!own.valid()) return;
  stream_.reset(fdopendir(own.get()));
  if (stream_ != nullptr) own.release();  // closedir closes it
}

const dirent* DirectoryReader::Next() {
  while (const dirent* entry = readdir(stream_.get())) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
      return entry;
    }
  }
  return nullptr;
}

}  // namespace goplugin::internal

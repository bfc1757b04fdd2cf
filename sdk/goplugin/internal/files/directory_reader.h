#ifndef GOPLUGIN_INTERNAL_FILES_DIRECTORY_READER_H_
#define GOPLUGIN_INTERNAL_FILES_DIRECTORY_READER_H_

#include <dirent.h>

#include <memory>

namespace goplugin::internal {

// The entries of a directory, without "." and "..". Not thread-safe.
class DirectoryReader {
 public:
  DirectoryReader() = default;
  // Of the directory that `fd` leads to, which stays the caller's and may have
  // been opened with O_PATH.
  explicit DirectoryReader(int fd);

  // False where it can't be read.
  bool valid() const { return stream_ != nullptr; }
  int fd() const { return dirfd(stream_.get()); }
  // nullptr after the last one. Valid until the next call.
  const dirent* Next();
  void Rewind() { rewinddir(stream_.get()); }

 private:
  struct Close {
    void operator()(DIR* stream) const { closedir(stream); }
  };
  std::unique_ptr<DIR, Close> stream_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_DIRECTORY_READER_H_

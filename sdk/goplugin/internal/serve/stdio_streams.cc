#include "goplugin/internal/serve/stdio_streams.h"

#include <cstddef>
#include <cstdio>
#include <iostream>
#include <ostream>
#include <streambuf>

#ifdef __GLIBCXX__
#include <ext/stdio_filebuf.h>
#endif

namespace goplugin::internal {
namespace {

// Whether the stream has a buffer beside that of the file, as the standard
// library has given it. libc++ never does.
bool HasOwnBuffer(const std::ostream& stream, std::FILE* file) {
#ifdef __GLIBCXX__
  auto* const own =
      dynamic_cast<__gnu_cxx::stdio_filebuf<char>*>(stream.rdbuf());
  return own != nullptr && own->fd() == fileno(file);
#else
  static_cast<void>(stream);
  static_cast<void>(file);
  return false;
#endif
}

// Keeps nothing: the file does, and locks.
class StdioBuffer final : public std::streambuf {
 public:
  explicit StdioBuffer(std::FILE* file) : file_(file) {}

 protected:
  int_type overflow(int_type character) override {
    if (traits_type::eq_int_type(character, traits_type::eof())) {
      return sync() == 0 ? traits_type::not_eof(character) : character;
    }
    return std::putc(traits_type::to_char_type(character), file_);
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    return static_cast<std::streamsize>(
        std::fwrite(text, 1, static_cast<std::size_t>(size), file_));
  }
  int sync() override { return std::fflush(file_); }

 private:
  std::FILE* const file_;
};

void LeadThrough(std::FILE* file, std::ostream& stream) {
  if (!HasOwnBuffer(stream, file)) return;
  stream.flush();
  // Never freed: the stream lives until the process ends.
  stream.rdbuf(new StdioBuffer(file));
}

}  // namespace

void LeadStreamsThroughStdio() {
  LeadThrough(stdout, std::cout);
  LeadThrough(stderr, std::clog);
}

}  // namespace goplugin::internal

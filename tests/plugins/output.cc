#include "tests/plugins/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace output {
namespace {

constexpr std::size_t kTenMegabytes = std::size_t{10} << 20;

std::string Binary() {
  std::string bytes;
  for (int i = 0; i < 4096; ++i) bytes += static_cast<char>(i * 7 + i / 256);
  return bytes + "\n";
}

std::string ManyLines() {
  const std::string line = std::string(1023, 'n') + "\n";
  std::string all;
  all.reserve(kTenMegabytes);
  while (all.size() < kTenMegabytes) all += line;
  return all;
}

}  // namespace

void Say(int descriptor, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    ssize_t n = write(descriptor, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) _exit(74);
    done += static_cast<std::size_t>(n);
  }
}

void Drop(int descriptor) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, descriptor);
  close(null);
}

std::string Noise(const std::string& kind) {
  if (kind == "text") {
    return "starting\nready | steady | go\n\nwaiting for the moon\n";
  }
  if (kind == "binary") return Binary();
  if (kind == "five-pipes") return "a|b|c|d|e|f\na|b|c|d|e|f\na|b|c|d|e|f\n";
  if (kind == "10mb") return ManyLines();
  if (kind == "long-line") return std::string(kTenMegabytes, 'x') + "\n";
  if (kind == "blank") return "\n\r\n   \n";
  if (kind == "candidate") return "7|plugins found\n";
  return "";
}

std::string Unescape(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      result += text[i];
      continue;
    }
    char c = text[++i];
    result += c == 'n'   ? '\n'
              : c == 'r' ? '\r'
              : c == 't' ? '\t'
              : c == '0' ? '\0'
                         : c;
  }
  return result;
}

std::string SocketDirectory(bool honoured) {
  const char* directory = honoured ? getenv("PLUGIN_UNIX_SOCKET_DIR") : nullptr;
  if (directory == nullptr || *directory == '\0') directory = getenv("TMPDIR");
  if (directory == nullptr || *directory == '\0') directory = "/tmp";
  return directory;
}

}  // namespace output

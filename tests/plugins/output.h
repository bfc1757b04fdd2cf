#ifndef TESTS_PLUGINS_OUTPUT_H_
#define TESTS_PLUGINS_OUTPUT_H_

#include <string>

// What both test plugins write, and how.
namespace output {

constexpr int kStdout = 1;
constexpr int kStderr = 2;

// Writes all of `text`, however long that takes. Ends the process when nobody
// reads.
void Say(int descriptor, const std::string& text);

// Lets go of what `descriptor` is open on. It goes to /dev/null, so that no
// other file gets its number.
void Drop(int descriptor);

// What is no handshake line, though some of it is like one. Kinds: text,
// binary, five-pipes, 10mb (in lines of 1 KiB), long-line (10 MiB and one
// newline), blank, candidate (begins like a line). Empty for
// any other kind.
std::string Noise(const std::string& kind);

// `text` with \n, \r, \t, \0 and \\ replaced.
std::string Unescape(const std::string& text);

// Where plugins put sockets: PLUGIN_UNIX_SOCKET_DIR if `honoured`, TMPDIR,
// /tmp.
std::string SocketDirectory(bool honoured);

}  // namespace output

#endif  // TESTS_PLUGINS_OUTPUT_H_

#ifndef GOPLUGIN_SECURE_CONFIG_H_
#define GOPLUGIN_SECURE_CONFIG_H_

#include <string>

#include "goplugin/language.h"

namespace goplugin {

// What the plugin program must consist of. A plain value; see
// Command::secure_config.
//
// The file is opened once, hashed, and what was opened is executed, not what
// has the name by then: a file that somebody else put in its place never runs.
//
//                         | kByDescriptor        | kSealedCopy
//   ----------------------+----------------------+---------------------------
//   file replaced, after  | the checked file     | the checked bytes run
//   it was checked        | runs                 |
//   file rewritten in     | the new bytes run    | the checked bytes run
//   place, after that     |                      |
//   costs                 | reading the file: 1  | that, and memory of the
//                         | to 2 s per GB        | file's size while it runs
//   argv[0]               | Command::path        | Command::path
//   /proc/self/exe        | the file             | "/memfd:NAME (deleted)"
//
// Whoever may write to the file in place (its owner, the members of its group)
// is trusted by kByDescriptor. A program that finds its own files by
// /proc/self/exe (os.Executable in Go, $ORIGIN in its RUNPATH) does not find
// them from a sealed copy; nor does the copy keep setuid bits or file
// capabilities. A sealed copy has 4 GiB at most.
//
// Neither covers what the program loads: shared libraries, plugins of its own,
// its data. Scripts are refused: their interpreter would read them again, by
// name. On Linux before 6.14 the process's short name (ps, top) is a number.
//
// Example:
//   command.secure_config = goplugin::SecureConfig{
//       "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"};
struct SecureConfig {
  enum class Hash { kSha256, kSha384, kSha512 };
  enum class Mode { kByDescriptor, kSealedCopy };

  // The expected digest: its bytes, or their hexadecimal digits as sha256sum
  // prints them. Required.
  std::string checksum = {};
  Hash hash = Hash::kSha256;
  Mode mode = Mode::kByDescriptor;
};

}  // namespace goplugin

#endif  // GOPLUGIN_SECURE_CONFIG_H_

#ifndef GOPLUGIN_INTERNAL_PROCESS_PROGRAM_FILE_H_
#define GOPLUGIN_INTERNAL_PROCESS_PROGRAM_FILE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace goplugin::internal {

// What a file is that should have been a program, as far as its first few KiB
// tell. A plain value.
struct ProgramFile {
  enum class Kind {
    kAbsent,      // nothing of that name can be reached; error_number says why
    kDirectory,   //
    kSpecial,     // a device, FIFO or socket
    kUnreadable,  // a file that may perhaps be executed, but not read
    kEmpty,
    kElf,
    kScript,   // starts with "#!"
    kText,     // printable text that does not
    kForeign,  // a known format of another system: `format`
    kOther,
  };

  Kind kind = Kind::kAbsent;
  int error_number = 0;
  mode_t mode = 0;
  uid_t owner = 0;
  gid_t group = 0;
  int64_t size = 0;
  // kElf.
  int elf_bits = 0;
  bool elf_big_endian = false;
  uint16_t elf_machine = 0;
  uint16_t elf_type = 0;
  // kElf: the dynamic loader (PT_INTERP). kScript: the interpreter's path, byte
  // for byte as the kernel takes it. "" if there is none.
  std::string interpreter = {};
  // kForeign.
  std::string format = {};
};

// Never blocks on what the file is, follows symbolic links.
ProgramFile InspectProgram(const std::string& path);

// The same of a file that is open for reading; leaves its position alone.
ProgramFile InspectOpenFile(int fd);

// "regular file, mode 0644, owner 0:0, 120 bytes".
std::string DescribeFile(const ProgramFile& file);

// "64-bit little-endian AArch64".
std::string DescribeArchitecture(const ProgramFile& elf);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_PROGRAM_FILE_H_

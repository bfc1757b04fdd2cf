#include "goplugin/internal/process/program_file.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {
namespace {

constexpr size_t kHeadBytes = 4096;
constexpr int kMaxProgramHeaders = 64;
constexpr uint64_t kMaxInterpreter = 4096;  // PATH_MAX

// Up to `size` bytes at `offset`; fewer at the end of the file or on an error.
std::string ReadAt(int fd, uint64_t offset, size_t size) {
  std::string bytes(size, '\0');
  ssize_t count = 0;
  do {
    count = pread(fd, &bytes[0], size, static_cast<off_t>(offset));
  } while (count < 0 && errno == EINTR);
  bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return bytes;
}

// The unsigned number of `size` bytes at `at` in the file's own byte order; 0
// past the end.
uint64_t Number(absl::string_view bytes, size_t at, size_t size, bool big) {
  if (at + size > bytes.size()) return 0;
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) {
    const size_t from = big ? at + i : at + size - 1 - i;
    value = (value << 8) | static_cast<unsigned char>(bytes[from]);
  }
  return value;
}

// Where the fields of the two ELF classes are.
struct ElfLayout {
  size_t word;
  size_t table_offset, entry_size, entry_count;  // in the header
  size_t segment_offset, segment_size;           // in a program header
};
constexpr ElfLayout kElf32 = {4, 28, 42, 44, 4, 16};
constexpr ElfLayout kElf64 = {8, 32, 54, 56, 8, 32};

std::string ReadLoader(int fd, absl::string_view head, const ElfLayout& layout,
                       bool big) {
  const uint64_t table = Number(head, layout.table_offset, layout.word, big);
  const uint64_t entry = Number(head, layout.entry_size, 2, big);
  if (entry > kHeadBytes) return "";
  const uint64_t count = std::min<uint64_t>(
      Number(head, layout.entry_count, 2, big), kMaxProgramHeaders);
  const std::string headers = ReadAt(fd, table, entry * count);
  for (uint64_t i = 0; i < count; ++i) {
    const size_t at = i * entry;
    if (Number(headers, at, 4, big) != PT_INTERP) continue;
    const uint64_t size =
        Number(headers, at + layout.segment_size, layout.word, big);
    std::string path = ReadAt(
        fd, Number(headers, at + layout.segment_offset, layout.word, big),
        std::min(size, kMaxInterpreter));
    return path.substr(0, path.find('\0'));
  }
  return "";
}

void InspectElf(int fd, absl::string_view head, ProgramFile& file) {
  file.kind = ProgramFile::Kind::kElf;
  if (head.size() <= EI_DATA) return;
  file.elf_bits = head[EI_CLASS] == ELFCLASS64 ? 64 : 32;
  file.elf_big_endian = head[EI_DATA] == ELFDATA2MSB;
  file.elf_type =
      static_cast<uint16_t>(Number(head, 16, 2, file.elf_big_endian));
  file.elf_machine =
      static_cast<uint16_t>(Number(head, 18, 2, file.elf_big_endian));
  file.interpreter = ReadLoader(fd, head, file.elf_bits == 64 ? kElf64 : kElf32,
                                file.elf_big_endian);
}

// As the kernel does: white space is blanks and tabs only, so that the carriage
// return of a Windows line end belongs to the interpreter's name.
std::string ScriptInterpreter(absl::string_view head) {
  absl::string_view line = head.substr(2, head.find('\n') - 2);
  const size_t start = line.find_first_not_of(" \t");
  if (start == absl::string_view::npos) return "";
  line.remove_prefix(start);
  line = line.substr(0, line.find('\0'));
  line = line.substr(0, line.find_first_of(" \t"));
  return {line.data(), line.size()};
}

// Bytes above 0x7f may be UTF-8.
bool LooksLikeText(absl::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char c) {
    const unsigned char byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || absl::ascii_isprint(byte) ||
           absl::ascii_isspace(byte);
  });
}

const char* ForeignFormat(absl::string_view head) {
  if (absl::StartsWith(head, "MZ")) return "a Windows program (PE)";
  for (absl::string_view magic : {absl::string_view("\xfe\xed\xfa\xce"),
                                  {"\xfe\xed\xfa\xcf"},
                                  {"\xce\xfa\xed\xfe"},
                                  {"\xcf\xfa\xed\xfe"},
                                  {"\xca\xfe\xba\xbe"}}) {
    if (absl::StartsWith(head, magic)) return "a macOS program (Mach-O)";
  }
  if (absl::StartsWith(head, "PK\x03\x04")) return "a zip archive";
  if (absl::StartsWith(head, "\x1f\x8b")) return "a gzip archive";
  return nullptr;
}

void InspectContent(int fd, ProgramFile& file) {
  const std::string head = ReadAt(fd, 0, kHeadBytes);
  if (head.empty()) {
    file.kind = ProgramFile::Kind::kEmpty;
  } else if (absl::StartsWith(head, ELFMAG)) {
    InspectElf(fd, head, file);
  } else if (absl::StartsWith(head, "#!")) {
    file.kind = ProgramFile::Kind::kScript;
    file.interpreter = ScriptInterpreter(head);
  } else if (const char* format = ForeignFormat(head)) {
    file.kind = ProgramFile::Kind::kForeign;
    file.format = format;
  } else {
    file.kind = LooksLikeText(head) ? ProgramFile::Kind::kText
                                    : ProgramFile::Kind::kOther;
  }
}

std::string MachineName(uint16_t machine) {
  switch (machine) {
    case EM_386:
      return "x86";
    case EM_X86_64:
      return "x86-64";
    case EM_ARM:
      return "ARM";
    case EM_AARCH64:
      return "AArch64";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC:
      return "PowerPC";
    case EM_PPC64:
      return "PowerPC64";
    case EM_S390:
      return "S/390";
    case EM_MIPS:
      return "MIPS";
    case 258:  // EM_LOONGARCH
      return "LoongArch";
    default:
      return absl::StrCat("machine ", machine);
  }
}

const char* KindName(const ProgramFile& file) {
  switch (file.kind) {
    case ProgramFile::Kind::kAbsent:
      return "absent";
    case ProgramFile::Kind::kDirectory:
      return "directory";
    case ProgramFile::Kind::kSpecial:
      if (S_ISFIFO(file.mode)) return "FIFO";
      return S_ISSOCK(file.mode) ? "socket" : "device";
    case ProgramFile::Kind::kUnreadable:
      return "unreadable file";
    case ProgramFile::Kind::kEmpty:
      return "empty file";
    case ProgramFile::Kind::kElf:
      return "ELF file";
    case ProgramFile::Kind::kScript:
      return "script";
    case ProgramFile::Kind::kText:
      return "text file";
    case ProgramFile::Kind::kForeign:
    case ProgramFile::Kind::kOther:
      return "regular file";
  }
  return "file";
}

// What the inode tells. A regular file counts as unreadable until it was read.
ProgramFile Properties(const struct stat& info) {
  ProgramFile file;
  file.mode = info.st_mode;
  file.owner = info.st_uid;
  file.group = info.st_gid;
  file.size = info.st_size;
  if (S_ISREG(info.st_mode)) {
    file.kind = ProgramFile::Kind::kUnreadable;
  } else {
    file.kind = S_ISDIR(info.st_mode) ? ProgramFile::Kind::kDirectory
                                      : ProgramFile::Kind::kSpecial;
  }
  return file;
}

}  // namespace

ProgramFile InspectProgram(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) {
    ProgramFile absent;
    absent.error_number = errno;
    return absent;
  }
  ProgramFile file = Properties(info);
  if (!S_ISREG(info.st_mode)) return file;
  // O_NONBLOCK: a FIFO may have taken the file's place by now.
  const UniqueFd fd(
      open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (fd.valid()) InspectContent(fd.get(), file);
  return file;
}

ProgramFile InspectOpenFile(int fd) {
  struct stat info = {};
  if (fstat(fd, &info) != 0) {
    ProgramFile absent;
    absent.error_number = errno;
    return absent;
  }
  ProgramFile file = Properties(info);
  if (S_ISREG(info.st_mode)) InspectContent(fd, file);
  return file;
}

std::string DescribeFile(const ProgramFile& file) {
  return absl::StrFormat("%s, mode %04o, owner %d:%d, %d bytes", KindName(file),
                         static_cast<unsigned>(file.mode & 07777),
                         static_cast<int64_t>(file.owner),
                         static_cast<int64_t>(file.group), file.size);
}

std::string DescribeArchitecture(const ProgramFile& elf) {
  return absl::StrCat(elf.elf_bits, "-bit ",
                      elf.elf_big_endian ? "big-endian " : "little-endian ",
                      MachineName(elf.elf_machine));
}

}  // namespace goplugin::internal

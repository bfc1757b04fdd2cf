#include "goplugin/internal/process/verified_program.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/checksum.h"
#include "goplugin/internal/process/diagnose.h"
#include "goplugin/internal/process/program_file.h"

// Values of the kernel's interface, for older headers.
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_SEAL_SEAL 0x0001
#define F_SEAL_SHRINK 0x0002
#define F_SEAL_GROW 0x0004
#define F_SEAL_WRITE 0x0008
#endif

namespace goplugin::internal {
namespace {

// A sealed copy is memory, and the file may have been made huge to take it all.
constexpr int64_t kMaxCopy = int64_t{4} << 30;

// What is being opened, for the functions below and their errors.
struct Request {
  const Command& command;
  const std::string& program;
  const CallerContext& caller;
  const std::atomic<bool>* abandoned;

  absl::Status Failed(SpawnStep step, int error_number) const {
    if (error_number == ECANCELED) {
      return MakeError(Reason::kCancelled,
                       "the check of the program was given up",
                       "the launch had ended before it");
    }
    SpawnFailure failure;
    failure.program = CallersPath(caller, program);
    failure.caller = &caller;
    failure.step = step;
    failure.error_number = error_number;
    return DiagnoseSpawn(command, failure);
  }
};

absl::StatusOr<UniqueFd> Open(const Request& request) {
  // O_NONBLOCK: what is there may be a FIFO.
  UniqueFd fd(openat(DirectoryOf(request.caller), request.program.c_str(),
                     O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info;
  if (!fd.valid() || fstat(fd.get(), &info) != 0) {
    return request.Failed(SpawnStep::kOpenProgram, errno);
  }
  if (S_ISREG(info.st_mode)) return fd;
  return request.Failed(SpawnStep::kOpenProgram,
                        S_ISDIR(info.st_mode) ? EISDIR : EACCES);
}

absl::Status ScriptError(const Request& request, const ProgramFile& file) {
  ErrorDetails details;
  details.reason = Reason::kChecksum;
  details.what = absl::StrCat("the plugin program ", Quote(request.program),
                              " is a script, which can't be run by checksum");
  details.evidence = {
      DescribeFile(file),
      absl::StrCat("its interpreter: ", Quote(file.interpreter))};
  details.hint =
      "its interpreter would read it again by name, whatever it holds by then: "
      "give a binary (ELF) plugin, or protect the script by its permissions "
      "and leave Command::secure_config unset";
  return MakeError(details);
}

absl::Status OtherDigestError(const Request& request, const ProgramFile& file,
                              const std::string& expected,
                              const std::string& found) {
  const SecureConfig::Hash hash = request.command.secure_config->hash;
  ErrorDetails details;
  details.reason = Reason::kChecksum;
  details.what = absl::StrCat("the plugin program ", Quote(request.program),
                              " is not the one that was asked for");
  details.evidence = {
      absl::StrCat("its ", HashName(hash), " is ",
                   absl::BytesToHexString(found)),
      absl::StrCat("expected ", absl::BytesToHexString(expected)),
      DescribeFile(file)};
  details.hint =
      file.kind == ProgramFile::Kind::kEmpty
          ? "the build or the installation was cut short: redo it"
          : absl::StrCat(
                "install the plugin again from a source you trust; if "
                "it was changed on purpose, set "
                "SecureConfig::checksum to what ",
                HashCommand(hash), " prints for it");
  return MakeError(details);
}

// An empty file in memory that may be executed, named as `program` is. errno is
// set when it is invalid.
UniqueFd MakeMemoryFile(const std::string& program) {
  // The kernel takes 249 bytes.
  const std::string name = program.substr(program.rfind('/') + 1, 200);
  constexpr unsigned int kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd fd(memfd_create(name.c_str(), kFlags | MFD_EXEC));
  // Linux before 6.3 does not know the flag, and needs none.
  if (!fd.valid() && errno == EINVAL) {
    fd.reset(memfd_create(name.c_str(), kFlags));
  }
  return fd;
}

int WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) return errno;
    if (count > 0) bytes.remove_prefix(static_cast<size_t>(count));
  }
  return 0;
}

// The copy may be executed by those who may execute the file. Where the owner
// can't be given away, the host's user takes his place.
int CopyPermissions(int from, int to) {
  struct stat info;
  struct statvfs mount;
  if (fstat(from, &info) != 0 || fstatvfs(from, &mount) != 0) return errno;
  if ((mount.f_flag & ST_NOEXEC) != 0) return EACCES;
  if (fchown(to, info.st_uid, info.st_gid) != 0 && errno != EPERM) return errno;
  return fchmod(to, info.st_mode & 0777) == 0 ? 0 : errno;
}

int FillAndSeal(const Request& request, int source, int64_t size, int copy) {
  int error_number = ReadFile(
      source, size, request.abandoned,
      [copy](absl::string_view bytes) { return WriteAll(copy, bytes); });
  if (error_number == 0) error_number = CopyPermissions(source, copy);
  if (error_number != 0) return error_number;
  constexpr int kSeals =
      F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  return fcntl(copy, F_ADD_SEALS, kSeals) == 0 ? 0 : errno;
}

// Puts a sealed copy in the place of `fd`.
absl::Status SealCopy(const Request& request, int64_t size, UniqueFd& fd) {
  if (size > kMaxCopy) return request.Failed(SpawnStep::kSealedCopy, EFBIG);
  UniqueFd copy = MakeMemoryFile(request.program);
  const int error_number =
      copy.valid() ? FillAndSeal(request, fd.get(), size, copy.get()) : errno;
  if (error_number != 0) {
    return request.Failed(SpawnStep::kSealedCopy, error_number);
  }
  fd = std::move(copy);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> OpenVerifiedProgram(
    const Command& command, const std::string& program,
    const CallerContext& caller, const std::atomic<bool>* abandoned) {
  const Request request = {command, program, caller, abandoned};
  const SecureConfig& config = *command.secure_config;
  absl::StatusOr<std::string> expected = ExpectedDigest(config);
  if (!expected.ok()) return expected.status();
  absl::StatusOr<UniqueFd> fd = Open(request);
  if (!fd.ok()) return fd.status();
  const ProgramFile file = InspectOpenFile(fd->get());
  if (file.kind == ProgramFile::Kind::kScript) {
    return ScriptError(request, file);
  }
  // Sealed before it is hashed: nothing can come in between.
  if (config.mode == SecureConfig::Mode::kSealedCopy) {
    absl::Status sealed = SealCopy(request, file.size, *fd);
    if (!sealed.ok()) return sealed;
  }
  std::string digest;
  const int error_number =
      HashFile(fd->get(), config.hash, file.size, abandoned, digest);
  if (error_number != 0) {
    return request.Failed(SpawnStep::kHashProgram, error_number);
  }
  if (digest != *expected) {
    return OtherDigestError(request, file, *expected, digest);
  }
  return fd;
}

}  // namespace goplugin::internal

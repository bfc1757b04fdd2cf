#include "goplugin/internal/process/checksum.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/text/hex.h"

namespace goplugin::internal {
namespace {

// Between two looks at whether somebody still waits.
constexpr size_t kChunk = size_t{256} * 1024;

struct HashRow {
  absl::string_view name;
  absl::string_view command;
  size_t size;
  const EVP_MD* (*implementation)();
};

const HashRow& FindHash(SecureConfig::Hash hash) {
  static constexpr HashRow kRows[] = {
      {"SHA-256", "sha256sum", 32, &EVP_sha256},
      {"SHA-384", "sha384sum", 48, &EVP_sha384},
      {"SHA-512", "sha512sum", 64, &EVP_sha512},
  };
  switch (hash) {
    case SecureConfig::Hash::kSha256:
      return kRows[0];
    case SecureConfig::Hash::kSha384:
      return kRows[1];
    case SecureConfig::Hash::kSha512:
      return kRows[2];
  }
  return kRows[0];
}

struct DeleteContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

absl::string_view HashName(SecureConfig::Hash hash) {
  return FindHash(hash).name;
}

absl::string_view HashCommand(SecureConfig::Hash hash) {
  return FindHash(hash).command;
}

absl::StatusOr<std::string> ExpectedDigest(const SecureConfig& config) {
  const HashRow& row = FindHash(config.hash);
  const std::string& checksum = config.checksum;
  if (checksum.size() == row.size) return checksum;
  if (checksum.size() == 2 * row.size &&
      std::all_of(checksum.begin(), checksum.end(), [](char c) {
        return absl::ascii_isxdigit(static_cast<unsigned char>(c));
      })) {
    return DecodeHex(checksum);
  }
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = "the option SecureConfig::checksum can't be used";
  details.evidence = {absl::StrCat(Quote(checksum), " has ", checksum.size(),
                                   " bytes; a ", row.name, " has ", row.size,
                                   ", or twice as many hexadecimal digits")};
  details.hint = absl::StrCat("give what ", row.command,
                              " prints for the program before the blank, or "
                              "set SecureConfig::hash to the one it is of");
  return MakeError(details);
}

int ReadFile(int fd, int64_t max_size, const std::atomic<bool>* abandoned,
             absl::FunctionRef<int(absl::string_view)> consume) {
  std::vector<char> buffer(kChunk);
  for (int64_t offset = 0; offset <= max_size;) {
    if (abandoned != nullptr && *abandoned) return ECANCELED;
    const ssize_t count = pread(fd, buffer.data(), buffer.size(), offset);
    if (count == 0) return 0;
    if (count < 0 && errno != EINTR) return errno;
    if (count < 0) continue;
    const int error_number =
        consume({buffer.data(), static_cast<size_t>(count)});
    if (error_number != 0) return error_number;
    offset += count;
  }
  return 0;
}

int HashFile(int fd, SecureConfig::Hash hash, int64_t max_size,
             const std::atomic<bool>* abandoned, std::string& digest) {
  const HashRow& row = FindHash(hash);
  const std::unique_ptr<EVP_MD_CTX, DeleteContext> context(EVP_MD_CTX_new());
  if (context == nullptr) return ENOMEM;
  if (EVP_DigestInit_ex(context.get(), row.implementation(), nullptr) != 1) {
    // gRPC's own TLS may run on this thread, and look for errors of its own.
    ERR_clear_error();
    return ENOTSUP;
  }
  const int error_number =
      ReadFile(fd, max_size, abandoned, [&](absl::string_view bytes) {
        EVP_DigestUpdate(context.get(), bytes.data(), bytes.size());
        return 0;
      });
  digest.assign(row.size, '\0');
  EVP_DigestFinal_ex(context.get(),
                     reinterpret_cast<unsigned char*>(&digest[0]), nullptr);
  return error_number;
}

}  // namespace goplugin::internal

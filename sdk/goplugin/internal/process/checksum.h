#ifndef GOPLUGIN_INTERNAL_PROCESS_CHECKSUM_H_
#define GOPLUGIN_INTERNAL_PROCESS_CHECKSUM_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "goplugin/secure_config.h"

namespace goplugin::internal {

// "SHA-256", and the command that prints such a digest, "sha256sum".
absl::string_view HashName(SecureConfig::Hash hash);
absl::string_view HashCommand(SecureConfig::Hash hash);

// The bytes of the digest that `config` asks for. kOptions if its checksum is
// neither as many bytes as the hash has, nor their hexadecimal digits.
absl::StatusOr<std::string> ExpectedDigest(const SecureConfig& config);

// Hands the file's bytes to `consume`, from the start to the end, wherever its
// read position is. Stops early when `consume` returns an errno, and after the
// first bytes beyond `max_size`: a file that somebody appends to would never
// end. Returns 0 or an errno; ECANCELED soon after `abandoned` (which may be
// null) was set by another thread.
int ReadFile(int fd, int64_t max_size, const std::atomic<bool>* abandoned,
             absl::FunctionRef<int(absl::string_view)> consume);

// The digest of what ReadFile reads. Returns as it does, ENOTSUP when the TLS
// library does not provide the hash.
int HashFile(int fd, SecureConfig::Hash hash, int64_t max_size,
             const std::atomic<bool>* abandoned, std::string& digest);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_CHECKSUM_H_

#include "goplugin/internal/process/capabilities.h"

#include <sys/types.h>
#include <sys/xattr.h>

#include <cstddef>
#include <fstream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace goplugin::internal {
namespace {

constexpr const char* kNames[] = {"chown",
                                  "dac_override",
                                  "dac_read_search",
                                  "fowner",
                                  "fsetid",
                                  "kill",
                                  "setgid",
                                  "setuid",
                                  "setpcap",
                                  "linux_immutable",
                                  "net_bind_service",
                                  "net_broadcast",
                                  "net_admin",
                                  "net_raw",
                                  "ipc_lock",
                                  "ipc_owner",
                                  "sys_module",
                                  "sys_rawio",
                                  "sys_chroot",
                                  "sys_ptrace",
                                  "sys_pacct",
                                  "sys_admin",
                                  "sys_boot",
                                  "sys_nice",
                                  "sys_resource",
                                  "sys_time",
                                  "sys_tty_config",
                                  "mknod",
                                  "lease",
                                  "audit_write",
                                  "audit_control",
                                  "setfcap",
                                  "mac_override",
                                  "mac_admin",
                                  "syslog",
                                  "wake_alarm",
                                  "block_suspend",
                                  "audit_read",
                                  "perfmon",
                                  "bpf",
                                  "checkpoint_restore"};
constexpr size_t kKnown = sizeof(kNames) / sizeof(kNames[0]);

// The kernel's vfs_cap_data, little endian: a word of version and flag, then
// permitted and inheritable, from the second version on each of two words.
constexpr uint32_t kEffective = 1;
constexpr uint32_t kVersion1 = 0x01000000;
constexpr uint32_t kVersionMask = 0xff000000;
constexpr size_t kPermitted = 4;
constexpr size_t kPermittedHigh = 12;

uint32_t Word(const unsigned char* bytes) {
  return uint32_t{bytes[0]} | uint32_t{bytes[1]} << 8 |
         uint32_t{bytes[2]} << 16 | uint32_t{bytes[3]} << 24;
}

}  // namespace

std::string CapabilityNames(uint64_t set) {
  std::string names;
  for (size_t number = 0; number < 64; ++number) {
    if ((set >> number & 1) == 0) continue;
    absl::StrAppend(&names, names.empty() ? "" : ", ");
    if (number < kKnown) {
      absl::StrAppend(&names, "cap_", kNames[number]);
    } else {
      absl::StrAppend(&names, "capability ", number);
    }
  }
  return names;
}

absl::optional<uint64_t> ReadCapabilities(const std::string& status_file,
                                          absl::string_view line) {
  std::ifstream status(status_file);
  for (std::string text; std::getline(status, text);) {
    if (!absl::StartsWith(text, absl::StrCat(line, ":"))) continue;
    uint64_t set = 0;
    const absl::string_view digits = absl::StripAsciiWhitespace(
        absl::string_view(text).substr(line.size() + 1));
    if (absl::SimpleHexAtoi(digits, &set)) return set;
  }
  return absl::nullopt;
}

absl::optional<uint64_t> RequiredCapabilities(const std::string& path) {
  unsigned char data[32] = {};
  const ssize_t size =
      getxattr(path.c_str(), "security.capability", data, sizeof(data));
  if (size < static_cast<ssize_t>(kPermitted + sizeof(uint32_t))) {
    return absl::nullopt;
  }
  const uint32_t magic = Word(data);
  if ((magic & kEffective) == 0) return absl::nullopt;
  uint64_t permitted = Word(data + kPermitted);
  if ((magic & kVersionMask) != kVersion1) {
    permitted |= uint64_t{Word(data + kPermittedHigh)} << 32;
  }
  return permitted;
}

}  // namespace goplugin::internal

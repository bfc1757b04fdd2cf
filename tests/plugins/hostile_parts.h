#ifndef TESTS_PLUGINS_HOSTILE_PARTS_H_
#define TESTS_PLUGINS_HOSTILE_PARTS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace hostile {

// Says on stderr that something went through that must not.
void Breach(const std::string& what);

// One round of all that can be done to names in `directory`, lent by the host,
// to make it touch one of `victims`.
void AttackFiles(const std::string& directory,
                 const std::vector<std::string>& victims);

// Tries to reach into the host, once in each way; what works is a breach.
void AttackHost(pid_t host, const std::vector<std::string>& victims);

}  // namespace hostile

#endif  // TESTS_PLUGINS_HOSTILE_PARTS_H_

#ifndef TESTS_SUPPORT_HARNESS_LEFTOVERS_H_
#define TESTS_SUPPORT_HARNESS_LEFTOVERS_H_

#include <string>
#include <vector>

namespace goplugin::testing {

// What this process holds that a client could have left behind, a line each:
// descriptors, child processes (grandchildren too: see AdoptOrphans), the SDK's
// threads, and the files below `directory`.
std::vector<std::string> ListHoldings(const std::string& directory);

// ThreadSanitizer's own file, which a process that is killed as it starts
// leaves.
bool IsOfASanitizer(const std::string& path);

// Makes this process the parent of orphaned grandchildren, so that they are
// seen as children. Once per process.
void AdoptOrphans();

// Starts and stops gRPC's own threads and descriptors, which then stay for the
// life of the process, so that they are part of every list.
void WarmUpGrpc();

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_HARNESS_LEFTOVERS_H_

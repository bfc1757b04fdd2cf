#ifndef TESTS_UNIT_ENDPOINT_IO_THREAD_COUNT_H_
#define TESTS_UNIT_ENDPOINT_IO_THREAD_COUNT_H_

#include <filesystem>
#include <fstream>
#include <string>

namespace goplugin::internal {

// How many this process has now.
inline int IoThreadCount() {
  int count = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    if (name == "goplugin-io") ++count;
  }
  return count;
}

}  // namespace goplugin::internal

#endif  // TESTS_UNIT_ENDPOINT_IO_THREAD_COUNT_H_

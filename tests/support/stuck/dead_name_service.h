#ifndef TESTS_SUPPORT_STUCK_DEAD_NAME_SERVICE_H_
#define TESTS_SUPPORT_STUCK_DEAD_NAME_SERVICE_H_

#include <string>

namespace goplugin::testing {

// Whoever looks up a group waits, as for a directory service that is gone,
// while this lives. For this thread, and those that it starts. Takes root.
class DeadNameService {
 public:
  // `pipe`: where it may make a file.
  explicit DeadNameService(std::string pipe);
  ~DeadNameService();
  DeadNameService(const DeadNameService&) = delete;
  DeadNameService& operator=(const DeadNameService&) = delete;

  // Lets all that wait find nothing.
  void Fail();

 private:
  const std::string pipe_;
};

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_STUCK_DEAD_NAME_SERVICE_H_

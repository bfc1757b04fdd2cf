#ifndef TESTS_SUPPORT_FAILING_CALLS_FAILING_CALLS_H_
#define TESTS_SUPPORT_FAILING_CALLS_FAILING_CALLS_H_

#include <string>
#include <vector>

namespace goplugin::testing {

// Makes calls of libc fail, one of a test's choice: the linker leads those of
// the SDK and of the test here, and not those of gRPC and the system's other
// libraries. What nobody has asked to fail goes on to libc.
//
// Thread safety: calls are counted on all threads together. Arm and Count are
// for one thread.

// The functions' names.
const std::vector<std::string>& FailingCalls();

// From here on calls are counted, from 1, and the call number `which` of
// `function` fails, as the function does where it can't do its work. 0: none.
void Arm(const std::string& function, int which);

// All calls succeed again. The number of those since Arm.
int Disarm();

// The same while this object lives.
class ArmedCall {
 public:
  ArmedCall(const std::string& function, int which) { Arm(function, which); }
  ~ArmedCall() { Disarm(); }
  ArmedCall(const ArmedCall&) = delete;
  ArmedCall& operator=(const ArmedCall&) = delete;
};

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_FAILING_CALLS_FAILING_CALLS_H_

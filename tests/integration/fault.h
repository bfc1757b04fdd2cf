#ifndef TESTS_INTEGRATION_FAULT_H_
#define TESTS_INTEGRATION_FAULT_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {

// One way in which a launch fails, and the error it must end in.
struct Fault {
  std::string name;
  std::function<Command()> command;
  ExpectedError expected;
  TlsMode tls = TlsMode::kInsecure;
  // Faults that show themselves must do so long before this; those that end at
  // the deadline get a short one.
  absl::Duration start_timeout = absl::Seconds(30);
};

inline void PrintTo(const Fault& fault, std::ostream* out) {
  *out << fault.name;
}

inline std::string FaultName(const ::testing::TestParamInfo<Fault>& info) {
  return info.param.name;
}

// Launches, and checks the error, that it came within its deadline (the
// harness: and left nothing).
class LaunchFaultTest : public HarnessTest,
                        public ::testing::WithParamInterface<Fault> {
 protected:
  void ExpectFault() {
    const Fault& fault = GetParam();
    ClientOptions options = KvOptions();
    options.tls.mode = fault.tls;
    options.start_timeout = fault.start_timeout;
    const absl::Time start = absl::Now();
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Launch(fault.command(), std::move(options));
    EXPECT_LT(absl::Now() - start, fault.start_timeout + absl::Seconds(5));
    ASSERT_FALSE(client.ok());
    ExpectError(client.status(), fault.expected);
  }
};

// For tables: a command whose arguments are known in advance.
inline std::function<Command()> MisbehaveBy(std::string what) {
  return [what] { return Misbehave({what}); };
}
inline std::function<Command()> ServerBy(std::vector<std::string> flags) {
  return [flags] { return ServerPlugin(flags); };
}

}  // namespace goplugin::testing

#endif  // TESTS_INTEGRATION_FAULT_H_

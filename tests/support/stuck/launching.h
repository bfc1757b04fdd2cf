#ifndef TESTS_SUPPORT_STUCK_LAUNCHING_H_
#define TESTS_SUPPORT_STUCK_LAUNCHING_H_

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client.h"
#include "goplugin/error.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/stuck/stuck_runner.h"

namespace goplugin::testing {

// A launch that is on its way, or has been told to have ended.
class Launching {
 public:
  using Launched = absl::StatusOr<std::unique_ptr<Client>>;

  Launching(Command command, ClientOptions options)
      : operation_(Client::LaunchAsync(std::move(command), std::move(options),
                                       Callback())) {}
  Launching(std::shared_ptr<StuckRunner> runner, ClientOptions options)
      : operation_(Client::LaunchAsync(runner, std::move(options),
                                       Callback(runner))) {}

  // Its error must be there by `deadline` from its start on.
  void ExpectErrorBy(absl::Duration deadline, Reason reason) {
    const absl::Status error = ErrorBy(deadline);
    if (!error.ok()) ExpectError(error, {reason, "", ""});
  }
  void ExpectAnyErrorBy(absl::Duration deadline) {
    const absl::Status error = ErrorBy(deadline);
    EXPECT_TRUE(error.ok() || GetErrorDetails(error).has_value()) << error;
  }

  // Its error, or its client where what was to end it came too late.
  void ExpectErrorOrClient(Reason reason) {
    absl::optional<Launched> launched = box_->Take();
    ASSERT_TRUE(launched.has_value()) << "never told";
    if (!launched->ok()) ExpectError(launched->status(), {reason, "", ""});
  }

  std::unique_ptr<Client> Take() {
    absl::optional<Launched> launched = box_->Take();
    EXPECT_TRUE(launched.has_value()) << "never told";
    if (!launched.has_value()) return nullptr;
    EXPECT_TRUE(launched->ok()) << launched->status();
    return launched->ok() ? **std::move(launched) : nullptr;
  }

  void Cancel() { operation_.Cancel(); }

 private:
  absl::Status ErrorBy(absl::Duration deadline) {
    absl::optional<Launched> launched = box_->Take();
    EXPECT_LT(absl::Now() - start_, deadline + kGrace);
    EXPECT_TRUE(launched.has_value()) << "never told";
    if (!launched.has_value()) return absl::OkStatus();
    EXPECT_FALSE(launched->ok());
    return launched->status();
  }

  Client::LaunchCallback Callback(
      std::shared_ptr<StuckRunner> runner = nullptr) {
    return [box = box_, runner](Launched launched) {
      if (runner != nullptr) runner->LaunchEnded();
      box->Put(std::move(launched));
    };
  }

  const absl::Time start_ = absl::Now();
  const std::shared_ptr<Mailbox<Launched>> box_ =
      std::make_shared<Mailbox<Launched>>();
  LaunchOperation operation_;
};

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_STUCK_LAUNCHING_H_

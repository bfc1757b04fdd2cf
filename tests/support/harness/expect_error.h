#ifndef TESTS_SUPPORT_HARNESS_EXPECT_ERROR_H_
#define TESTS_SUPPORT_HARNESS_EXPECT_ERROR_H_

#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"

namespace goplugin::testing {

// What a test demands of an error: its reason, a part of its message (which
// holds what failed and the evidence), and a part of its hint.
struct ExpectedError {
  Reason reason = Reason::kUnknown;
  std::string message_part;
  std::string hint_part;
};

inline void ExpectError(const absl::Status& status,
                        const ExpectedError& expected) {
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  ASSERT_TRUE(details.has_value()) << status;
  EXPECT_STREQ(ReasonName(details->reason), ReasonName(expected.reason))
      << status;
  EXPECT_EQ(status.code(), ReasonCode(expected.reason)) << status;
  EXPECT_FALSE(details->hint.empty()) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), expected.message_part))
      << "no \"" << expected.message_part << "\" in " << status;
  EXPECT_TRUE(absl::StrContains(details->hint, expected.hint_part))
      << "no \"" << expected.hint_part << "\" in the hint of " << status;
}

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_HARNESS_EXPECT_ERROR_H_

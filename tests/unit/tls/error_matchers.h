#ifndef GOPLUGIN_TESTS_UNIT_TLS_ERROR_MATCHERS_H_
#define GOPLUGIN_TESTS_UNIT_TLS_ERROR_MATCHERS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_join.h"
#include "absl/types/optional.h"
#include "gmock/gmock.h"
#include "goplugin/error.h"

namespace goplugin::internal {

// An error of `reason`, with `evidence` somewhere in its facts and `hint`
// somewhere in its hint.
inline void ExpectError(const absl::Status& status, Reason reason,
                        const std::string& evidence, const std::string& hint) {
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  ASSERT_TRUE(details.has_value()) << status;
  EXPECT_STREQ(ReasonName(details->reason), ReasonName(reason)) << status;
  EXPECT_THAT(absl::StrJoin(details->evidence, "; "),
              testing::HasSubstr(evidence));
  EXPECT_THAT(details->hint, testing::HasSubstr(hint));
  EXPECT_FALSE(details->what.empty());
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_TESTS_UNIT_TLS_ERROR_MATCHERS_H_

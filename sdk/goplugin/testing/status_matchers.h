#ifndef GOPLUGIN_TESTING_STATUS_MATCHERS_H_
#define GOPLUGIN_TESTING_STATUS_MATCHERS_H_

#include <gmock/gmock.h>

#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_join.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"

// GoogleTest matchers for what this library answers: absl::Status, and
// absl::StatusOr of anything.
//
// Example:
//   using goplugin::testing::HasHint;
//   using goplugin::testing::IsOk;
//   using goplugin::testing::StatusIs;
//
//   ASSERT_THAT(client, IsOk());
//   EXPECT_THAT(client, StatusIs(goplugin::Reason::kSpawn));
//   EXPECT_THAT(client, AllOf(HasEvidence("mode 0644"), HasHint("chmod +x")));
//
// IsOk() goes with any status. The others match none but this library's own:
// see GetErrorDetails. Where a part of an error is wanted, a string means that
// it is found somewhere in it, and a matcher of strings has to match it whole.
namespace goplugin::testing {

namespace matchers_internal {

inline const absl::Status& StatusOf(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

class IsOkMatcher {
 public:
  using is_gtest_matcher = void;

  template <typename Result>
  bool MatchAndExplain(const Result& result,
                       ::testing::MatchResultListener* listener) const {
    const absl::Status& status = StatusOf(result);
    if (!status.ok()) *listener << "which is " << ToString(status);
    return status.ok();
  }
  void DescribeTo(std::ostream* out) const { *out << "is OK"; }
  void DescribeNegationTo(std::ostream* out) const { *out << "is not OK"; }
};

// One part of an error's details.
class DetailsMatcher {
 public:
  using is_gtest_matcher = void;
  using Part = std::string (*)(const ErrorDetails&);

  DetailsMatcher(const char* name, Part part,
                 ::testing::Matcher<const std::string&> wanted)
      : name_(name), part_(part), wanted_(std::move(wanted)) {}

  template <typename Result>
  bool MatchAndExplain(const Result& result,
                       ::testing::MatchResultListener* listener) const {
    const absl::Status& status = StatusOf(result);
    *listener << "which is " << ToString(status);
    const absl::optional<ErrorDetails> details = GetErrorDetails(status);
    if (!details.has_value()) {
      *listener << ", no error of go-plugin-cpp";
      return false;
    }
    const std::string part = part_(*details);
    *listener << ", whose " << name_ << " is \"" << part << '"';
    return wanted_.Matches(part);
  }
  void DescribeTo(std::ostream* out) const {
    *out << "is an error whose " << name_ << ' ';
    wanted_.DescribeTo(out);
  }
  void DescribeNegationTo(std::ostream* out) const {
    *out << "is no error whose " << name_ << ' ';
    wanted_.DescribeTo(out);
  }

 private:
  const char* name_;
  Part part_;
  ::testing::Matcher<const std::string&> wanted_;
};

template <typename Wanted>
::testing::Matcher<const std::string&> AsMatcher(Wanted wanted) {
  if constexpr (std::is_convertible<Wanted, std::string>::value) {
    return ::testing::HasSubstr(std::string(wanted));
  } else {
    return ::testing::SafeMatcherCast<const std::string&>(wanted);
  }
}

}  // namespace matchers_internal

inline matchers_internal::IsOkMatcher IsOk() { return {}; }

// An error of that reason.
inline matchers_internal::DetailsMatcher StatusIs(Reason reason) {
  return {"reason",
          [](const ErrorDetails& details) {
            return std::string(ReasonName(details.reason));
          },
          ::testing::StrEq(ReasonName(reason))};
}

// What failed: ErrorDetails::what.
template <typename Wanted>
matchers_internal::DetailsMatcher HasWhat(Wanted wanted) {
  return {"what", [](const ErrorDetails& details) { return details.what; },
          matchers_internal::AsMatcher(std::move(wanted))};
}

// What was seen. A matcher sees all facts, a line each.
template <typename Wanted>
matchers_internal::DetailsMatcher HasEvidence(Wanted wanted) {
  return {"evidence",
          [](const ErrorDetails& details) {
            return absl::StrJoin(details.evidence, "\n");
          },
          matchers_internal::AsMatcher(std::move(wanted))};
}

// What to do about it.
template <typename Wanted>
matchers_internal::DetailsMatcher HasHint(Wanted wanted) {
  return {"hint", [](const ErrorDetails& details) { return details.hint; },
          matchers_internal::AsMatcher(std::move(wanted))};
}

// The plugin's last words: ErrorDetails::stderr_tail.
template <typename Wanted>
matchers_internal::DetailsMatcher HasStderr(Wanted wanted) {
  return {"stderr",
          [](const ErrorDetails& details) { return details.stderr_tail; },
          matchers_internal::AsMatcher(std::move(wanted))};
}

}  // namespace goplugin::testing

#endif  // GOPLUGIN_TESTING_STATUS_MATCHERS_H_

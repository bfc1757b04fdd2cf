#include "goplugin/testing/status_matchers.h"

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "gtest/gtest.h"

namespace goplugin::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StringMatchResultListener;

absl::Status SpawnError() {
  ErrorDetails details;
  details.reason = Reason::kSpawn;
  details.what = "the plugin can't be started";
  details.evidence = {"path ./kv", "mode 0644"};
  details.hint = "chmod +x it";
  details.stderr_tail = "last words";
  return goplugin::internal::MakeError(details);
}

TEST(StatusMatchersTest, OkIsOk) {
  EXPECT_THAT(absl::OkStatus(), IsOk());
  EXPECT_THAT(absl::StatusOr<int>(3), IsOk());
  EXPECT_THAT(absl::StatusOr<std::unique_ptr<int>>(nullptr), IsOk());
  EXPECT_THAT(SpawnError(), Not(IsOk()));
  EXPECT_THAT(absl::StatusOr<int>(SpawnError()), Not(IsOk()));
  EXPECT_THAT(absl::InternalError("not ours"), Not(IsOk()));
}

TEST(StatusMatchersTest, EachPartIsFound) {
  const absl::StatusOr<std::unique_ptr<int>> result = SpawnError();
  EXPECT_THAT(
      result,
      AllOf(StatusIs(Reason::kSpawn), HasWhat("can't be started"),
            HasEvidence("mode 0644"), HasHint("chmod"), HasStderr("last")));
  EXPECT_THAT(result, Not(StatusIs(Reason::kConnect)));
  EXPECT_THAT(result, Not(HasWhat("mode")));
  EXPECT_THAT(result, Not(HasEvidence("chmod")));
  EXPECT_THAT(result, Not(HasHint("mode")));
  EXPECT_THAT(result, Not(HasStderr("kv")));
}

TEST(StatusMatchersTest, AMatcherHasToMatchTheWholePart) {
  EXPECT_THAT(SpawnError(), HasHint(EndsWith("it")));
  EXPECT_THAT(SpawnError(), Not(HasHint(EndsWith("chmod"))));
  EXPECT_THAT(SpawnError(), HasEvidence("path ./kv\nmode 0644"));
}

TEST(StatusMatchersTest, OtherErrorsHaveNoParts) {
  EXPECT_THAT(absl::InternalError("chmod"), Not(StatusIs(Reason::kUnknown)));
  EXPECT_THAT(absl::InternalError("chmod"), Not(HasHint("")));
  EXPECT_THAT(absl::OkStatus(), Not(HasEvidence("")));
}

TEST(StatusMatchersTest, AMismatchTellsTheStatusAndThePart) {
  StringMatchResultListener listener;
  const ::testing::Matcher<absl::Status> matcher = HasHint("reboot");
  EXPECT_FALSE(matcher.MatchAndExplain(SpawnError(), &listener));
  EXPECT_THAT(listener.str(),
              AllOf(HasSubstr("the plugin can't be started"),
                    HasSubstr("whose hint is \"chmod +x it\"")));
  // Not the encoded details.
  EXPECT_THAT(listener.str(), Not(HasSubstr("type.googleapis.com")));
  StringMatchResultListener ok_listener;
  const ::testing::Matcher<absl::Status> is_ok = IsOk();
  EXPECT_FALSE(is_ok.MatchAndExplain(SpawnError(), &ok_listener));
  EXPECT_EQ(ok_listener.str(),
            "which is FAILED_PRECONDITION: the plugin can't be started; hint: "
            "chmod +x it; path ./kv; mode 0644; last stderr:\nlast words");
  EXPECT_EQ(::testing::DescribeMatcher<absl::Status>(matcher),
            "is an error whose hint has substring \"reboot\"");
}

}  // namespace
}  // namespace goplugin::testing

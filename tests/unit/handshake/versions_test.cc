#include "goplugin/internal/handshake/versions.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/handshake/error_matchers.h"

namespace goplugin::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Versions = std::vector<uint32_t>;

TEST(NegotiateVersionTest, PicksTheHighestCommonOne) {
  const struct {
    Versions ours, theirs;
    uint32_t want;
  } kCases[] = {
      {{1}, {1}, 1},
      {{1, 2, 3}, {2, 3, 4}, 3},
      {{3, 1, 2}, {2, 1}, 2},
      {{5, 5, 5}, {5, 5}, 5},
      {{0}, {0, 7}, 0},
      {{0, 4294967295u}, {4294967295u, 0}, 4294967295u},
      {{100, 9}, {9, 100, 8}, 100},
  };
  for (const auto& c : kCases) {
    const auto version = NegotiateVersion(c.ours, c.theirs);
    ASSERT_TRUE(version.ok()) << version.status();
    EXPECT_EQ(*version, c.want);
  }
}

TEST(NegotiateVersionTest, NothingInCommonNamesBothSets) {
  const struct {
    Versions ours, theirs;
    const char *our_set, *their_set;
  } kCases[] = {
      {{2, 1, 2}, {9, 8}, "{1, 2}", "{8, 9}"},
      {{}, {1}, "{}", "{1}"},
      {{1}, {}, "{1}", "{}"},
      {{}, {}, "{}", "{}"},
  };
  for (const auto& c : kCases) {
    const absl::Status status = NegotiateVersion(c.ours, c.theirs).status();
    EXPECT_EQ(ReasonOf(status), "app_version");
    EXPECT_THAT(EvidenceOf(status), HasSubstr(c.our_set));
    EXPECT_THAT(EvidenceOf(status), HasSubstr(c.their_set));
    EXPECT_THAT(HintOf(status), HasSubstr(c.our_set));
    EXPECT_THAT(HintOf(status), HasSubstr(c.their_set));
    EXPECT_THAT(HintOf(status), HasSubstr("handshake.protocol_versions"));
  }
}

TEST(ParseVersionListTest, SkipsWhatIsNoVersion) {
  EXPECT_THAT(ParseVersionList("1"), ElementsAre(1));
  EXPECT_THAT(ParseVersionList("3,1,2"), ElementsAre(3, 1, 2));
  EXPECT_THAT(ParseVersionList("1, 2"), ElementsAre(1, 2));
  EXPECT_THAT(ParseVersionList("x,2,,-1,4294967296,+3,1.0,0"),
              ElementsAre(2, 0));
  EXPECT_THAT(ParseVersionList(""), IsEmpty());
  EXPECT_THAT(ParseVersionList(",,,"), IsEmpty());
}

TEST(ParseVersionTest, TakesAsciiDigitsOnly) {
  EXPECT_EQ(ParseVersion("0"), 0u);
  EXPECT_EQ(ParseVersion("007"), 7u);
  EXPECT_EQ(ParseVersion("4294967295"), 4294967295u);
  for (const char* text :
       {"", " 1", "1 ", "+1", "-1", "0x1", "1e1", "1.0", "4294967296",
        "99999999999999999999", "\xd9\xa1" /* an Arabic digit one */}) {
    EXPECT_EQ(ParseVersion(text), absl::nullopt) << text;
  }
}

TEST(FormatVersionSetTest, SortsAndRemovesRepeats) {
  EXPECT_EQ(FormatVersionSet({}), "{}");
  EXPECT_EQ(FormatVersionSet({3, 1, 3, 2}), "{1, 2, 3}");
}

}  // namespace
}  // namespace goplugin::internal

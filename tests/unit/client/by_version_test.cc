#include "goplugin/by_version.h"

#include <cstdint>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/harness/expect_error.h"

namespace goplugin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

int One(Client&) { return 1; }

// For() is tested with real plugins: tests/integration/negotiated_test.cc.

TEST(ByVersionTest, SaysTheVersionsInOrderAndOnce) {
  EXPECT_THAT((ByVersion<int>{{5, One}, {0, One}, {5, One}}).versions(),
              ElementsAre(0, 5));
  EXPECT_THAT(ByVersion<int>({}).versions(), IsEmpty());
}

TEST(ByVersionTest, AVersionWithoutHandlerIsTheHostsMistake) {
  testing::ExpectError(
      internal::NoHandlerForVersion(3, {1, 2}),
      {Reason::kAppVersion, "{1, 2}", "handshake.protocol_versions"});
}

}  // namespace
}  // namespace goplugin

#include "goplugin/internal/loop/seldom.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

TEST(SeldomTest, TellsAtDoublings) {
  Seldom seldom;
  std::vector<std::uint64_t> told;
  for (int i = 0; i < 20; ++i) {
    if (seldom.Tell()) told.push_back(seldom.count());
  }
  EXPECT_EQ(told, (std::vector<std::uint64_t>{1, 2, 4, 8, 16}));
  EXPECT_EQ(seldom.count(), 20u);
}

}  // namespace
}  // namespace goplugin::internal

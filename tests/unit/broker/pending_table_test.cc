#include "goplugin/internal/broker/pending_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace goplugin::internal {
namespace {

using ::testing::ElementsAre;

constexpr absl::Duration kKeep = absl::Seconds(5);

Endpoint At(int number) {
  return {Endpoint::Network::kUnix, absl::StrCat("/", number)};
}

absl::Duration Second(int number) { return absl::Seconds(number); }

TEST(PendingTableTest, GivesEachAnnouncementOnce) {
  PendingTable table(kKeep);
  EXPECT_TRUE(table.Add(1, At(1), Second(0)));
  EXPECT_TRUE(table.Add(2, At(2), Second(0)));
  auto first = table.Take(1, Second(1));
  ASSERT_TRUE(first.has_value() && first->ok());
  EXPECT_EQ(**first, At(1));
  EXPECT_FALSE(table.Take(1, Second(1)).has_value());
  EXPECT_FALSE(table.Take(3, Second(1)).has_value());
  EXPECT_THAT(table.Ids(8), ElementsAre(2));
}

TEST(PendingTableTest, KeepsErrorsAsWell) {
  PendingTable table(kKeep);
  table.Add(1, absl::UnavailableError("bad"), Second(0));
  auto taken = table.Take(1, Second(0));
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->status().message(), "bad");
}

TEST(PendingTableTest, ForgetsAtTheDeadline) {
  PendingTable table(kKeep);
  table.Add(1, At(1), Second(0));
  table.Add(2, At(2), Second(1));
  EXPECT_FALSE(table.Take(1, Second(5)).has_value());
  EXPECT_TRUE(table.Take(2, Second(5)).has_value());
  EXPECT_EQ(table.size(), 0u);
}

TEST(PendingTableTest, TheNewestOfAnIdCountsAndItsDeadline) {
  PendingTable table(kKeep);
  table.Add(1, At(1), Second(0));
  table.Add(1, At(2), Second(4));
  EXPECT_EQ(table.size(), 1u);
  auto taken = table.Take(1, Second(8));
  ASSERT_TRUE(taken.has_value() && taken->ok());
  EXPECT_EQ(**taken, At(2));
}

TEST(PendingTableTest, DropsTheOldestWhenFull) {
  PendingTable table(kKeep);
  const int full = PendingTable::kMaxKept;
  for (int id = 1; id <= full; ++id) {
    EXPECT_TRUE(table.Add(id, At(id), Second(0)));
  }
  // A newer one of the same id needs no room.
  EXPECT_TRUE(table.Add(full, At(0), Second(0)));
  EXPECT_FALSE(table.Add(full + 1, At(0), Second(0)));
  EXPECT_EQ(table.size(), PendingTable::kMaxKept);
  EXPECT_FALSE(table.Take(1, Second(0)).has_value());
  EXPECT_TRUE(table.Take(2, Second(0)).has_value());
  EXPECT_TRUE(table.Take(full + 1, Second(0)).has_value());
}

TEST(PendingTableTest, WhatExpiredMakesRoom) {
  PendingTable table(kKeep);
  const int full = PendingTable::kMaxKept;
  for (int id = 1; id <= full; ++id) table.Add(id, At(id), Second(0));
  EXPECT_TRUE(table.Add(full + 1, At(1), Second(6)));
  EXPECT_EQ(table.size(), 1u);
}

}  // namespace
}  // namespace goplugin::internal

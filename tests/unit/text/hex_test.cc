#include "goplugin/internal/text/hex.h"

#include <string>

#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

TEST(HexTest, PairsOfDigitsAreBytes) {
  EXPECT_EQ(DecodeHex("00ff7F"), std::string("\x00\xff\x7f", 3));
  EXPECT_EQ(DecodeHex("6a6B"), "jk");
  EXPECT_EQ(DecodeHex(""), "");
}

TEST(HexTest, WhatIsNoDigitIsNoHarm) {
  EXPECT_EQ(DecodeHex("6"), "");
  EXPECT_EQ(DecodeHex("zz6a"), std::string("\0j", 2));
}

}  // namespace
}  // namespace goplugin::internal

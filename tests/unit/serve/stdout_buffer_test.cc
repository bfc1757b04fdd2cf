#include "goplugin/internal/serve/stdout_buffer.h"

#include <string>

#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

std::string Note(int bytes) {
  return "[goplugin: " + std::to_string(bytes) +
         " bytes of stdout dropped, nobody read them]\n";
}

TEST(StdoutBuffer, GivesBackWhatItGotInPieces) {
  StdoutBuffer buffer(100);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.Take(10), "");
  buffer.Append("hello ");
  buffer.Append("world");
  EXPECT_FALSE(buffer.empty());
  EXPECT_EQ(buffer.Take(4), "hell");
  EXPECT_EQ(buffer.Take(4), "o wo");
  EXPECT_EQ(buffer.Take(4), "rld");
  EXPECT_TRUE(buffer.empty());
}

TEST(StdoutBuffer, HoldsExactlyItsCapacity) {
  StdoutBuffer buffer(5);
  buffer.Append("12345");
  EXPECT_EQ(buffer.Take(100), "12345");
}

TEST(StdoutBuffer, DropsTheOldestAndSaysHowMany) {
  StdoutBuffer buffer(5);
  buffer.Append("123");
  buffer.Append("4567");
  EXPECT_EQ(buffer.Take(100), Note(2) + "34567");
  EXPECT_TRUE(buffer.empty());
}

TEST(StdoutBuffer, AddsUpWhatItDropped) {
  StdoutBuffer buffer(3);
  buffer.Append("abc");
  buffer.Append("d");
  buffer.Append("efghij");
  EXPECT_EQ(buffer.Take(100), Note(7) + "hij");
  buffer.Append("k");
  EXPECT_EQ(buffer.Take(100), "k");
}

TEST(StdoutBuffer, TheNoteDoesNotCountAsPrinted) {
  StdoutBuffer buffer(4);
  buffer.Append("abcdef");
  EXPECT_EQ(buffer.Take(1), Note(2) + "c");
  EXPECT_EQ(buffer.Take(1), "d");
}

TEST(StdoutBuffer, WhatIsPutBackComesFirstAgain) {
  StdoutBuffer buffer(6);
  buffer.Append("abcd");
  ASSERT_EQ(buffer.Take(2), "ab");
  buffer.PutBack("ab");
  EXPECT_EQ(buffer.Take(100), "abcd");
}

TEST(StdoutBuffer, WhatIsPutBackIsTheOldestToDrop) {
  StdoutBuffer buffer(6);
  buffer.Append("abcd");
  ASSERT_EQ(buffer.Take(2), "ab");
  buffer.Append("efg");
  buffer.PutBack("ab");
  EXPECT_EQ(buffer.Take(100), Note(1) + "bcdefg");
}

TEST(StdoutBuffer, ANoteThatIsPutBackCountsOn) {
  StdoutBuffer buffer(4);
  buffer.Append("abcdef");
  ASSERT_EQ(buffer.Take(2), Note(2) + "cd");
  buffer.Append("gh");
  buffer.PutBack(Note(2) + "cd");
  EXPECT_EQ(buffer.Take(100), Note(4) + "efgh");
  EXPECT_TRUE(buffer.empty());
}

TEST(StdoutBuffer, ANoteThatIsPutBackIntoRoomComesAgain) {
  StdoutBuffer buffer(4);
  buffer.Append("abcdef");
  ASSERT_EQ(buffer.Take(2), Note(2) + "cd");
  buffer.PutBack(Note(2) + "cd");
  EXPECT_EQ(buffer.Take(2), Note(2) + "cd");
  EXPECT_EQ(buffer.Take(2), "ef");
}

TEST(StdoutBuffer, OneThatKeepsNothingCountsAll) {
  StdoutBuffer buffer(0);
  buffer.Append("abc");
  ASSERT_EQ(buffer.Take(100), Note(3));
  buffer.Append("d");
  buffer.PutBack(Note(3));
  EXPECT_EQ(buffer.Take(100), Note(4));
  EXPECT_EQ(buffer.Take(100), "");
}

TEST(StdoutBuffer, StaysInOrderOverManyRounds) {
  StdoutBuffer buffer(64);
  std::string in;
  std::string out;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    in += piece;
    buffer.Append(piece);
    out += buffer.Take(3);
    if (i % 5 == 4) out += buffer.Take(64);
  }
  out += buffer.Take(64);
  EXPECT_EQ(out, in);
}

}  // namespace
}  // namespace goplugin::internal

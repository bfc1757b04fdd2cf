#include "goplugin/internal/mux/byte_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

#include "absl/strings/string_view.h"

namespace goplugin::internal {
namespace {

TEST(ByteQueueTest, BeginsEmpty) {
  ByteQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.bytes(), "");
  queue.RemovePrefix(0);
  queue.Append("");
  queue.Reserve(0);
  EXPECT_TRUE(queue.empty());
}

TEST(ByteQueueTest, FirstInFirstOut) {
  ByteQueue queue;
  queue.Append("one");
  queue.Append("two");
  EXPECT_EQ(queue.bytes(), "onetwo");
  queue.RemovePrefix(2);
  EXPECT_EQ(queue.bytes(), "etwo");
  EXPECT_EQ(queue.size(), 4u);
  queue.Append("three");
  EXPECT_EQ(queue.bytes(), "etwothree");
  queue.RemovePrefix(9);
  EXPECT_TRUE(queue.empty());
  queue.Append("again");
  EXPECT_EQ(queue.bytes(), "again");
}

TEST(ByteQueueTest, OnlyWhatWasCommittedIsThere) {
  ByteQueue queue;
  queue.Append("x");
  std::memcpy(queue.Reserve(100), "abc", 3);
  EXPECT_EQ(queue.bytes(), "x");
  queue.Commit(2);
  EXPECT_EQ(queue.bytes(), "xab");
}

TEST(ByteQueueTest, TheSameRoomUntilSomethingChanges) {
  ByteQueue queue;
  char* room = queue.Reserve(100);
  EXPECT_EQ(queue.Reserve(60), room);
}

// Small ones keep their memory: no allocation per frame.
TEST(ByteQueueTest, MovesToTheFrontInsteadOfGrowing) {
  ByteQueue queue;
  char* room = queue.Reserve(1000);  // and as much again
  queue.Commit(1000);
  queue.RemovePrefix(999);
  EXPECT_EQ(queue.Reserve(1999), room + 1);
  queue.RemovePrefix(1);
  EXPECT_EQ(queue.Reserve(2000), room);
}

// The same operations on a plain string; sizes around those at which the queue
// moves, grows and gives back.
TEST(ByteQueueTest, LikeAString) {
  std::minstd_rand random(1);
  for (const size_t most : {size_t{40}, size_t{5000}, size_t{600} * 1024}) {
    ByteQueue queue;
    std::string model;
    char next = 0;
    for (int i = 0; i < 400; ++i) {
      const size_t size = random() % most;
      if (random() % 2 == 0) {
        std::string bytes(size, '\0');
        for (char& byte : bytes) byte = ++next;
        queue.Append(bytes);
        model += bytes;
      } else {
        const size_t taken = random() % 4 == 0 ? model.size() : size;
        queue.RemovePrefix(std::min(taken, model.size()));
        model.erase(0, taken);
      }
      ASSERT_EQ(queue.size(), model.size());
      ASSERT_EQ(queue.empty(), model.empty());
      ASSERT_TRUE(queue.bytes() == model) << "step " << i;
      if (model.size() > 8 * most) {
        queue.RemovePrefix(model.size() - 1);
        model.erase(0, model.size() - 1);
      }
    }
  }
}

}  // namespace
}  // namespace goplugin::internal

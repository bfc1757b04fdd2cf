#include "goplugin/internal/rpc/call_queue.h"

#include <grpcpp/alarm.h>

#include <chrono>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using std::chrono::system_clock;

// An event on the queue, as a call's end is.
class Event final : public CallQueue::Tag {
 public:
  void SetAt(CallQueue& queue, system_clock::time_point when) {
    alarm_.Set(queue.completion_queue(), when, tag());
  }
  void OnComplete(bool ok) override {
    ok_ = ok;
    complete_.Notify();
  }
  bool Wait() {
    complete_.WaitForNotification();
    return ok_;
  }

 private:
  grpc::Alarm alarm_;
  bool ok_ = false;
  absl::Notification complete_;
};

// Events are made before the queue: ThreadSanitizer does not see the order that
// gRPC's own synchronization brings.

TEST(CallQueueTest, TellsWithoutHurry) {
  Event event;
  CallQueue queue;
  event.SetAt(queue, system_clock::now());
  EXPECT_TRUE(event.Wait());
}

TEST(CallQueueTest, TellsInAHurryThatBeginsWhileItSleeps) {
  std::vector<Event> events(100);
  CallQueue queue;
  for (Event& event : events) {
    const CallQueue::Hurry hurry(queue);
    event.SetAt(queue, system_clock::now());
    EXPECT_TRUE(event.Wait());
  }
}

TEST(CallQueueTest, ManyThreadsInAHurry) {
  std::vector<std::vector<Event>> events(8);
  for (std::vector<Event>& of_thread : events) {
    of_thread = std::vector<Event>(20);
  }
  CallQueue queue;
  std::vector<std::thread> threads;
  threads.reserve(events.size());
  for (std::vector<Event>& of_thread : events) {
    threads.emplace_back([&queue, &of_thread] {
      for (Event& event : of_thread) {
        const CallQueue::Hurry hurry(queue);
        event.SetAt(queue, system_clock::now() + std::chrono::milliseconds(1));
        EXPECT_TRUE(event.Wait());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(CallQueueTest, EndsWithEventsThatNobodyWaitsFor) {
  std::vector<Event> events(10);
  CallQueue queue;
  for (Event& event : events) event.SetAt(queue, system_clock::now());
}

}  // namespace
}  // namespace goplugin::internal

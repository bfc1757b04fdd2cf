#include "goplugin/internal/rpc/call_queue.h"

#include <grpcpp/alarm.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "goplugin/internal/versions/mutex_lock.h"
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

// Asks for pauses, and keeps them in a list.
class Gatherer final : public CallQueue::Tag {
 public:
  Gatherer(char name, std::string* pauses) : name_(name), pauses_(pauses) {}
  void Bind(CallQueue& queue) {
    MutexLock lock(mutex_);
    queue_ = &queue;
  }
  void Set(CallQueue& queue) {
    Bind(queue);
    alarm_.Set(queue.completion_queue(), system_clock::now(), tag());
  }
  void OnComplete(bool /*ok*/) override {
    CallQueue& queue = bound();
    queue.TellPause(this);
    if (forgets) queue.ForgetPause(this);
    if (next != nullptr) next->OnComplete(true);
  }
  void OnPause() override {
    *pauses_ += name_;
    paused.Notify();
  }

  bool forgets = false;
  Gatherer* next = nullptr;  // what completes right after it
  absl::Notification paused;

 private:
  CallQueue& bound() {
    MutexLock lock(mutex_);
    return *queue_;
  }

  const char name_;
  std::string* const pauses_;
  absl::Mutex mutex_;  // an order that ThreadSanitizer sees
  CallQueue* queue_ ABSL_GUARDED_BY(mutex_) = nullptr;
  grpc::Alarm alarm_;
};

TEST(CallQueueTest, TellsWhenNothingMoreIsThere) {
  std::string pauses;
  Gatherer gatherer('a', &pauses);
  CallQueue queue;
  gatherer.Set(queue);
  gatherer.paused.WaitForNotification();
  EXPECT_EQ(pauses, "a");
}

TEST(CallQueueTest, TellsOneThatGathersBeforeTheNext) {
  std::string pauses;
  Gatherer last('c', &pauses);
  Gatherer forgetful('b', &pauses);
  Gatherer first('a', &pauses);
  forgetful.forgets = true;
  forgetful.next = &last;
  first.next = &forgetful;
  CallQueue queue;
  last.Bind(queue);
  forgetful.Bind(queue);
  first.Set(queue);
  last.paused.WaitForNotification();
  EXPECT_EQ(pauses, "ac");
}

// How often the queue's thread has gone to sleep so far.
long Sleeps() {  // NOLINT(runtime/int)
  for (const auto& thread :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(thread.path() / "status");
    const std::string text(std::istreambuf_iterator<char>(file), {});
    if (text.find("goplugin-rpc") == std::string::npos) continue;
    const std::string name = "\nvoluntary_ctxt_switches:";
    return atol(text.c_str() + text.find(name) + name.size());
  }
  ADD_FAILURE() << "the queue has no thread";
  return 0;
}

// An idle host costs a laptop nothing. What is counted here is not the time
// that something takes: a loaded machine makes it less.
TEST(CallQueueTest, HardlyWakesWhileNothingHappens) {
  const CallQueue queue;
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto before = Sleeps();
  std::this_thread::sleep_for(std::chrono::seconds(4));
  EXPECT_LE(Sleeps() - before, 4);
}

// A ring sends it away, and it comes back when there are no more.
TEST(CallQueueTest, StandsAsideForCalls) {
  CallQueue queue;
  if (queue.bell() == nullptr) GTEST_SKIP() << "this gRPC has its own pollers";
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto before = Sleeps();
  for (int i = 0; i < 100; ++i) {
    queue.bell()->Ring();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const auto aside = Sleeps();
  EXPECT_GE(aside - before, 10);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto again = Sleeps();
  std::this_thread::sleep_for(std::chrono::seconds(4));
  EXPECT_LE(Sleeps() - again, 4);
}

TEST(CallQueueTest, RingsOfManyThreadsAndAfterItsEnd) {
  auto queue = std::make_unique<CallQueue>();
  const std::shared_ptr<CallBell> bell = queue->bell();
  if (bell == nullptr) GTEST_SKIP() << "this gRPC has its own pollers";
  std::vector<std::thread> threads;
  std::atomic<bool> over{false};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!over) bell->Ring();
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  queue.reset();
  over = true;
  for (std::thread& thread : threads) thread.join();
  bell->Ring();
}

}  // namespace
}  // namespace goplugin::internal

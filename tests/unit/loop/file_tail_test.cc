#include "goplugin/internal/loop/file_tail.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "gtest/gtest.h"
#include "tests/support/loop/run_on_loop.h"

namespace goplugin::internal {
namespace {

class FileTailTest : public ::testing::Test {
 protected:
  FileTailTest() {
    const char* temp = getenv("TEST_TMPDIR");
    std::string name = std::string(temp != nullptr ? temp : "/tmp") + "/XXXXXX";
    writer_ = mkstemp(&name[0]);
    reader_ = open(name.c_str(), O_RDONLY | O_CLOEXEC);
    unlink(name.c_str());
  }
  ~FileTailTest() override {
    Run([this] { tail_.reset(); });
    close(writer_);
  }

  void Run(std::function<void()> task) { testing::RunOnLoop(loop_, task); }

  void Follow(int descriptor) {
    Run([&] {
      tail_ = std::make_unique<FileTail>(
          loop_, queue_, descriptor,
          OutputReader::Callbacks{[this](absl::string_view bytes) {
                                    text_.append(bytes.data(), bytes.size());
                                  },
                                  [this](int error) { error_ = error; }});
    });
  }

  void Write(const std::string& text) {
    ASSERT_EQ(write(writer_, text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }

  // What was read when `size` bytes were.
  std::string TextOf(size_t size) {
    std::string text;
    while (text.size() < size) {
      Run([&] { text = text_; });
      absl::SleepFor(absl::Milliseconds(1));
    }
    return text;
  }

  void Drain(size_t max_bytes, absl::Notification& done) {
    Run([&] { tail_->Drain(max_bytes, [&done] { done.Notify(); }); });
  }

  EventLoop loop_;
  Pool pool_{loop_, "goplugin-work", 4};
  const std::shared_ptr<Lane> queue_ = Lane::Create(pool_);
  std::unique_ptr<FileTail> tail_;
  // On the loop.
  std::string text_;
  int error_ = 0;
  int writer_ = -1;
  int reader_ = -1;
};

TEST_F(FileTailTest, FollowsWhatIsAppended) {
  Write("one ");
  Follow(reader_);
  EXPECT_EQ(TextOf(4), "one ");
  Write("two");
  EXPECT_EQ(TextOf(7), "one two");
}

TEST_F(FileTailTest, DrainGivesAllThatIsThere) {
  const std::string much(size_t{300} * 1024, 'x');
  Follow(reader_);
  Write(much);
  absl::Notification done;
  Drain(size_t{1} << 20, done);
  done.WaitForNotification();
  Run([&] { EXPECT_EQ(text_.size(), much.size()); });
}

TEST_F(FileTailTest, DrainHasABound) {
  Follow(reader_);
  Write(std::string(size_t{300} * 1024, 'x'));
  absl::Notification done;
  Drain(size_t{64} * 1024, done);
  done.WaitForNotification();
}

TEST_F(FileTailTest, AReadThatFailsIsToldOnce) {
  close(reader_);
  Follow(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  int error = 0;
  while (error == 0) Run([&] { error = error_; });
  EXPECT_EQ(error, EISDIR);
  absl::Notification done;
  Drain(1, done);
  EXPECT_TRUE(done.HasBeenNotified());
}

// A pipe that nobody writes to, read without O_NONBLOCK, is as good as a dead
// file system.
TEST_F(FileTailTest, AReadThatHangsHoldsNobodyUp) {
  close(reader_);
  int ends[2] = {-1, -1};
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  Follow(ends[0]);
  absl::Notification done;
  Drain(1, done);
  const absl::Time start = absl::Now();
  // The loop goes on meanwhile.
  Run([] {});
  EXPECT_LT(absl::Now() - start, FileTail::kLongestDrain / 2);
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(20)));

  const absl::Time end = absl::Now();
  Run([this] { tail_.reset(); });
  EXPECT_LT(absl::Now() - end, absl::Seconds(1));
  // Still the read's.
  EXPECT_NE(fcntl(ends[0], F_GETFD), -1);
  close(ends[1]);
  while (fcntl(ends[0], F_GETFD) != -1) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(text_, "");
}

}  // namespace
}  // namespace goplugin::internal

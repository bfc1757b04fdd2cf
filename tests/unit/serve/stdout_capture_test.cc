#include "goplugin/internal/serve/stdout_capture.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "gtest/gtest.h"
#include "tests/support/failing_calls/failing_calls.h"

namespace goplugin::internal {
namespace {

// What a capture gave to its sink. While descriptor 1 is captured GoogleTest's
// own output would land here as well, so expectations come afterwards.
class Captured {
 public:
  std::function<void(absl::string_view)> Sink() {
    return [this](absl::string_view data) {
      MutexLock lock(mutex_);
      text_.append(data.data(), data.size());
    };
  }
  std::string text() {
    MutexLock lock(mutex_);
    return text_;
  }

 private:
  absl::Mutex mutex_;
  std::string text_;
};

ino_t InodeOfStdout() {
  struct stat info = {};
  EXPECT_EQ(fstat(STDOUT_FILENO, &info), 0);
  return info.st_ino;
}

void WriteAll(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n =
        write(STDOUT_FILENO, text.data() + done, text.size() - done);
    ASSERT_GT(n, 0);
    done += static_cast<std::size_t>(n);
  }
}

TEST(StdoutCapture, DrainHandsOverAllThatWasPrinted) {
  Captured captured;
  std::string before_end;
  {
    auto capture = StdoutCapture::Start(captured.Sink());
    ASSERT_TRUE(capture.ok()) << capture.status();
    std::printf("a line\n");
    WriteAll("no newline");
    (*capture)->Drain();
    before_end = captured.text();
  }
  EXPECT_EQ(before_end, "a line\nno newline");
}

TEST(StdoutCapture, TakesWhatStdioHadBufferedBefore) {
  Captured captured;
  std::fflush(stdout);
  // As a plugin's stdout is: a pipe, so fully buffered.
  std::setvbuf(stdout, nullptr, _IOFBF, BUFSIZ);
  std::printf("noise in front");
  {
    auto capture = StdoutCapture::Start(captured.Sink());
    ASSERT_TRUE(capture.ok()) << capture.status();
  }
  EXPECT_EQ(captured.text(), "noise in front");
}

TEST(StdoutCapture, NeverBlocksAPrint) {
  Captured captured;
  const std::string much(4 << 20, 'x');
  {
    auto capture = StdoutCapture::Start(captured.Sink());
    ASSERT_TRUE(capture.ok()) << capture.status();
    WriteAll(much);
  }
  EXPECT_EQ(captured.text().size(), much.size());
}

TEST(StdoutCapture, PutsTheDescriptorBack) {
  Captured captured;
  const ino_t before = InodeOfStdout();
  ino_t during = 0;
  {
    auto capture = StdoutCapture::Start(captured.Sink());
    ASSERT_TRUE(capture.ok()) << capture.status();
    during = InodeOfStdout();
  }
  EXPECT_NE(during, before);
  EXPECT_EQ(InodeOfStdout(), before);
}

TEST(StdoutCapture, WritesTheLineToTheRealStdout) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::fflush(stdout);
  const int saved = dup(STDOUT_FILENO);
  ASSERT_EQ(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
  close(ends[1]);
  Captured captured;
  absl::Status written;
  {
    auto capture = StdoutCapture::Start(captured.Sink());
    written = capture.ok() ? (*capture)->WriteLine("1|1|unix|/s|grpc|\n")
                           : capture.status();
    std::printf("not in front of it\n");
  }
  dup2(saved, STDOUT_FILENO);
  close(saved);
  char line[64] = {};
  EXPECT_EQ(read(ends[0], line, sizeof line - 1), 18);
  close(ends[0]);
  EXPECT_TRUE(written.ok()) << written;
  EXPECT_STREQ(line, "1|1|unix|/s|grpc|\n");
  EXPECT_EQ(captured.text(), "not in front of it\n");
}

TEST(StdoutCapture, AThreadThatCantBeHadIsAnError) {
  Captured captured;
  const ino_t before = InodeOfStdout();
  absl::Status status;
  {
    const goplugin::testing::ArmedCall armed("pthread_create", 1);
    status = StdoutCapture::Start(captured.Sink()).status();
  }
  EXPECT_EQ(InodeOfStdout(), before);
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  ASSERT_TRUE(details.has_value()) << status;
  EXPECT_EQ(details->reason, Reason::kResources);
  EXPECT_NE(details->hint, "");
}

}  // namespace
}  // namespace goplugin::internal

#include "goplugin/internal/files/output_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/files/files_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OutputFilesTest : public FilesTest {
 protected:
  // What is refused is told at once: a FIFO without a reader would block.
  void ExpectRefused(const std::string& path, const std::string& problem) {
    const absl::Status status = OpenOutputFiles(Base(), path).status();
    EXPECT_EQ(Details(status).reason, Reason::kOptions) << status;
    EXPECT_THAT(Evidence(status), HasSubstr(problem));
    EXPECT_THAT(Details(status).hint, HasSubstr("stderr_file"));
  }
};

std::string ReadFrom(const UniqueFd& fd) {
  char bytes[100];
  const ssize_t size = read(fd.get(), bytes, sizeof bytes);
  return size < 0 ? "error" : std::string(bytes, static_cast<size_t>(size));
}

TEST_F(OutputFilesTest, WhatIsAppendedIsRead) {
  const std::string path = WriteFile("stderr", "old\n", 0600);
  const absl::StatusOr<OutputFiles> files = OpenOutputFiles(Base(), path);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(write(files->stdout_file.append.get(), "out", 3), 3);
  EXPECT_EQ(write(files->stderr_file.append.get(), "err", 3), 3);
  EXPECT_EQ(ReadFrom(files->stdout_file.read), "out");
  EXPECT_EQ(ReadFrom(files->stderr_file.read), "err");
  EXPECT_EQ(StatOf(path).st_size, 7);
}

TEST_F(OutputFilesTest, DescriptorsAreAsUsual) {
  const absl::StatusOr<OutputFiles> files =
      OpenOutputFiles(Base(), directory() + "/new");
  ASSERT_TRUE(files.ok()) << files.status();
  for (const UniqueFd* fd :
       {&files->stdout_file.append, &files->stderr_file.append}) {
    EXPECT_EQ(fcntl(fd->get(), F_GETFL) & (O_NONBLOCK | O_APPEND), O_APPEND);
    EXPECT_EQ(fcntl(fd->get(), F_GETFD), FD_CLOEXEC);
    EXPECT_GT(fd->get(), 2);
  }
  EXPECT_EQ(ModeOf(directory() + "/new"), 0600u);
}

TEST_F(OutputFilesTest, StdoutHasNoName) {
  const std::string own = directory() + "/own";
  ASSERT_EQ(mkdir(own.c_str(), 0700), 0);
  const absl::StatusOr<Directory> place = Directory::Open(own);
  ASSERT_TRUE(place.ok()) << place.status();
  const absl::StatusOr<OutputFiles> files = OpenOutputFiles(*place, "");
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(NamesIn(own), IsEmpty());
  struct stat info;
  ASSERT_EQ(fstat(files->stdout_file.append.get(), &info), 0);
  EXPECT_EQ(info.st_nlink, 0u);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST_F(OutputFilesTest, OnlyFilesAreOpened) {
  const std::string fifo = directory() + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  ExpectRefused(fifo, "FIFO");
  const std::string link = directory() + "/link";
  ASSERT_EQ(symlink("fifo", link.c_str()), 0);
  ExpectRefused(link, "FIFO");
  const UniqueFd listener = BindAt(directory() + "/socket", true);
  ExpectRefused(directory() + "/socket", "socket");
  ExpectRefused(directory(), "directory");
  ExpectRefused("/dev/zero", "device");
  ExpectRefused(directory() + "/absent/file", "No such file");
}

TEST_F(OutputFilesTest, FifoWithAReaderIsNoFileEither) {
  const std::string fifo = directory() + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const UniqueFd reader(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ExpectRefused(fifo, "FIFO");
}

TEST_F(OutputFilesTest, LinksOfTheUserAreFollowed) {
  ASSERT_EQ(symlink("real", (directory() + "/link").c_str()), 0);
  EXPECT_TRUE(OpenOutputFiles(Base(), directory() + "/link").ok());
  EXPECT_TRUE(S_ISREG(StatOf(directory() + "/real").st_mode));
}

TEST_F(OutputFilesTest, WithoutStdioTheNumbersStayAboveIt) {
  EXPECT_EQ(InFork([this]() -> std::string {
              const Directory base = Base();
              for (int fd : {0, 1, 2}) close(fd);
              const absl::StatusOr<OutputFiles> files =
                  OpenOutputFiles(base, directory() + "/new");
              if (!files.ok()) return "can't be opened";
              return files->stdout_file.append.get() > 2 &&
                             files->stdout_file.read.get() > 2 &&
                             files->stderr_file.append.get() > 2 &&
                             files->stderr_file.read.get() > 2
                         ? ""
                         : "a number of stdio's";
            }),
            "");
}

}  // namespace
}  // namespace goplugin::internal

// Programs that are checked before they run: which bytes run, whatever others
// do to the file meanwhile.

#include "goplugin/internal/process/verified_program.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "goplugin/internal/process/checksum.h"
#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/process/spawn.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Hash = SecureConfig::Hash;
using Mode = SecureConfig::Mode;

constexpr char kGood[] = "MARKER:good";
constexpr char kEvil[] = "MARKER:evil";
constexpr int kTries = 1000;

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string DigestOf(const std::string& path, Hash hash) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string digest;
  EXPECT_EQ(HashFile(fd.get(), hash, INT64_MAX / 2, nullptr, digest), 0);
  return digest;
}

class VerifiedProgramTest : public ProcessTest {
 protected:
  void SetUp() override {
    ProcessTest::SetUp();
    good_ = ReadWhole(ChildProgram());
    marker_at_ = good_.find(kGood);
    ASSERT_NE(marker_at_, std::string::npos);
    evil_ = good_;
    evil_.replace(marker_at_, sizeof(kEvil) - 1, kEvil);
    program_ = WriteFile("program", good_);
  }

  // Asks for the good program, by the name of `program_`.
  SpawnRequest Checked(std::vector<std::string> args, Mode mode,
                       Hash hash = Hash::kSha256) const {
    SpawnRequest request;
    request.command.path = program_;
    request.command.args = std::move(args);
    request.command.secure_config =
        SecureConfig{DigestOf(ChildProgram(), hash), hash, mode};
    return request;
  }

  std::string good_, evil_, program_;
  size_t marker_at_ = 0;
};

class BothModesTest : public VerifiedProgramTest,
                      public ::testing::WithParamInterface<Mode> {};

TEST_P(BothModesTest, TheRightProgramRuns) {
  for (Hash hash : {Hash::kSha256, Hash::kSha384, Hash::kSha512}) {
    EXPECT_EQ(OutputOf(Checked({"marker"}, GetParam(), hash)), kGood);
  }
}

TEST_P(BothModesTest, HexadecimalDigitsWillDo) {
  SpawnRequest request = Checked({"marker"}, GetParam());
  std::string& checksum = request.command.secure_config->checksum;
  checksum = absl::BytesToHexString(checksum);
  EXPECT_EQ(OutputOf(request), kGood);
}

TEST_P(BothModesTest, ArgumentsAndDescriptorsAreAsWithout) {
  EXPECT_EQ(OutputOf(Checked({"args", "x"}, GetParam())),
            program_ + std::string(1, '\0') + "args" + std::string(1, '\0') +
                "x" + std::string(1, '\0'));
  EXPECT_EQ(OutputOf(Checked({"fds"}, GetParam())), "0\n1\n2\n");
  EXPECT_EQ(InFork([this]() -> std::string {
              // Without close_range, and before Linux 5.11.
              if (!FailSystemCall(SYS_close_range, ENOSYS)) return "seccomp";
              return OutputOf(Checked({"fds"}, GetParam()));
            }),
            "0\n1\n2\n");
}

TEST_P(BothModesTest, AnotherProgramDoesNotRun) {
  const SpawnRequest request = Checked({"marker"}, GetParam());
  WriteFile("program", evil_);
  const absl::Status status = Spawn(request).status();
  EXPECT_EQ(Details(status).reason, Reason::kChecksum);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Details(status).what, HasSubstr(program_));
  EXPECT_THAT(Evidence(status),
              HasSubstr("its SHA-256 is " + absl::BytesToHexString(DigestOf(
                                                program_, Hash::kSha256))));
  EXPECT_THAT(
      Evidence(status),
      HasSubstr("expected " + absl::BytesToHexString(
                                  request.command.secure_config->checksum)));
  EXPECT_THAT(Evidence(status),
              HasSubstr(absl::StrCat(evil_.size(), " bytes")));
  EXPECT_THAT(Details(status).hint, HasSubstr("sha256sum"));
}

TEST_P(BothModesTest, ShortProgramDoesNotRun) {
  const SpawnRequest request = Checked({"marker"}, GetParam());
  ASSERT_EQ(truncate(program_.c_str(), 10000), 0);
  absl::Status status = Spawn(request).status();
  EXPECT_EQ(Details(status).reason, Reason::kChecksum);
  EXPECT_THAT(Evidence(status), HasSubstr("10000 bytes"));
  EXPECT_THAT(Details(status).hint, HasSubstr("install the plugin again"));

  ASSERT_EQ(truncate(program_.c_str(), 0), 0);
  status = Spawn(request).status();
  EXPECT_EQ(Details(status).reason, Reason::kChecksum);
  EXPECT_THAT(Evidence(status), HasSubstr("empty file"));
  EXPECT_THAT(Details(status).hint, HasSubstr("cut short"));
}

TEST_P(BothModesTest, LongerProgramDoesNotRun) {
  const SpawnRequest request = Checked({"marker"}, GetParam());
  std::ofstream(program_, std::ios::app) << "x";
  EXPECT_EQ(Details(Spawn(request).status()).reason, Reason::kChecksum);
}

TEST_P(BothModesTest, NothingThere) {
  const SpawnRequest request = Checked({"marker"}, GetParam());
  ASSERT_EQ(unlink(program_.c_str()), 0);
  const absl::Status status = Spawn(request).status();
  EXPECT_EQ(Details(status).reason, Reason::kSpawn);
  EXPECT_THAT(Evidence(status), HasSubstr("opening it to compute its digest"));
  EXPECT_THAT(Evidence(status), HasSubstr("does not exist"));
  EXPECT_THAT(Details(status).hint, HasSubstr("check Command::path"));
}

TEST_P(BothModesTest, NoFile) {
  SpawnRequest request = Checked({"marker"}, GetParam());
  request.command.path = directory();
  absl::Status status = Spawn(request).status();
  EXPECT_EQ(Details(status).reason, Reason::kSpawn);
  EXPECT_THAT(Details(status).hint, HasSubstr("not the directory it is in"));

  request.command.path = absl::StrCat(directory(), "/fifo");
  ASSERT_EQ(mkfifo(request.command.path.c_str(), 0755), 0);
  status = Spawn(request).status();
  EXPECT_EQ(Details(status).reason, Reason::kSpawn);
  EXPECT_THAT(Evidence(status), HasSubstr("FIFO"));
  EXPECT_THAT(Details(status).hint, HasSubstr("regular file"));
}

TEST_P(BothModesTest, NotExecutable) {
  const SpawnRequest request = Checked({"marker"}, GetParam());
  ASSERT_EQ(chmod(program_.c_str(), 0644), 0);
  const absl::Status status = Spawn(request).status();
  EXPECT_EQ(Details(status).reason, Reason::kSpawn);
  EXPECT_THAT(Evidence(status), HasSubstr("executing it"));
  EXPECT_THAT(Details(status).hint, HasSubstr("chmod +x"));
}

TEST_P(BothModesTest, ScriptsAreRefused) {
  SpawnRequest request = Checked({"marker"}, GetParam());
  request.command.path = WriteFile("script", "#!/bin/sh\necho hello\n");
  request.command.secure_config->checksum =
      DigestOf(request.command.path, Hash::kSha256);
  const absl::Status status = Spawn(request).status();
  EXPECT_EQ(Details(status).reason, Reason::kChecksum);
  EXPECT_THAT(Details(status).what, HasSubstr("is a script"));
  EXPECT_THAT(Evidence(status), HasSubstr("/bin/sh"));
  EXPECT_THAT(Details(status).hint, HasSubstr("binary (ELF) plugin"));
}

TEST_P(BothModesTest, GivenUpWhenNobodyWaits) {
  SpawnRequest request = Checked({"marker"}, GetParam());
  const std::atomic<bool> abandoned(true);
  request.abandoned = &abandoned;
  EXPECT_EQ(Details(Spawn(request).status()).reason, Reason::kCancelled);
}

// The file's name leads to one or the other at any moment, and what is there
// was opened, hashed or executed at any moment.
TEST_P(BothModesTest, ReplacedAtAnyMoment) {
  const std::string other = WriteFile("evil", evil_);
  std::atomic<bool> done(false);
  std::thread replacer([&] {
    // Exchanges the two, so that the name always leads to something.
    while (!done) {
      renameat2(AT_FDCWD, other.c_str(), AT_FDCWD, program_.c_str(),
                RENAME_EXCHANGE);
      sched_yield();
    }
  });
  const SpawnRequest request = Checked({"marker"}, GetParam());
  int ran = 0;
  int refused = 0;
  for (int i = 0; i < kTries; ++i) {
    absl::StatusOr<ChildProcess> child = Spawn(request);
    if (child.ok()) {
      EXPECT_EQ(ReadAll(child->stdout_pipe.get()), kGood);
      WaitAndReap(*child);
      ++ran;
    } else {
      EXPECT_EQ(Details(child.status()).reason, Reason::kChecksum);
      ++refused;
    }
  }
  done = true;
  replacer.join();
  // The race was on.
  EXPECT_GT(ran, 0);
  EXPECT_GT(refused, 0);
}

INSTANTIATE_TEST_SUITE_P(Modes, BothModesTest,
                         ::testing::Values(Mode::kByDescriptor,
                                           Mode::kSealedCopy),
                         [](const ::testing::TestParamInfo<Mode>& info) {
                           return info.param == Mode::kSealedCopy
                                      ? "SealedCopy"
                                      : "ByDescriptor";
                         });

// `meanwhile` comes after the check and before the exec.
std::string OutputWithPause(SpawnRequest request,
                            const std::function<void()>& meanwhile) {
  const auto prepared = Prepare(std::move(request));
  if (!prepared.ok()) return prepared.status().ToString();
  meanwhile();
  return OutputOf(CloneHere(*prepared));
}

TEST_F(VerifiedProgramTest, ReplacedBetweenTheCheckAndExec) {
  const std::string other = WriteFile("evil", evil_);
  EXPECT_EQ(OutputWithPause(
                Checked({"marker"}, Mode::kByDescriptor),
                [&] { EXPECT_EQ(rename(other.c_str(), program_.c_str()), 0); }),
            kGood);
  EXPECT_EQ(ReadWhole(program_), evil_);
}

// The difference that the header tells: kByDescriptor trusts those who may
// write to the file.
TEST_F(VerifiedProgramTest, RewrittenInPlaceRunsByDescriptor) {
  EXPECT_EQ(
      OutputWithPause(
          Checked({"marker"}, Mode::kByDescriptor),
          [&] {
            const UniqueFd writer(open(program_.c_str(), O_RDWR | O_CLOEXEC));
            const auto at = static_cast<off_t>(marker_at_);
            EXPECT_GT(pwrite(writer.get(), kEvil, sizeof(kEvil) - 1, at), 0);
          }),
      kEvil);
}

TEST_F(VerifiedProgramTest, RewrittenInPlaceNeverRunsFromASealedCopy) {
  const UniqueFd writer(open(program_.c_str(), O_RDWR | O_CLOEXEC));
  std::atomic<bool> done(false);
  std::thread rewriter([&] {
    for (int i = 0; !done; ++i) {
      EXPECT_GT(pwrite(writer.get(), i % 2 == 0 ? kEvil : kGood,
                       sizeof(kEvil) - 1, static_cast<off_t>(marker_at_)),
                0);
      sched_yield();
    }
  });
  const SpawnRequest request = Checked({"marker"}, Mode::kSealedCopy);
  int ran = 0;
  int refused = 0;
  for (int i = 0; i < kTries; ++i) {
    absl::StatusOr<ChildProcess> child = Spawn(request);
    if (child.ok()) {
      EXPECT_EQ(ReadAll(child->stdout_pipe.get()), kGood);
      WaitAndReap(*child);
      ++ran;
    } else {
      EXPECT_EQ(Details(child.status()).reason, Reason::kChecksum);
      ++refused;
    }
  }
  done = true;
  rewriter.join();
  EXPECT_GT(ran, 0);
  EXPECT_GT(refused, 0);
}

TEST_F(VerifiedProgramTest, SealedCopyCanNotBeChanged) {
  const SpawnRequest request = Checked({}, Mode::kSealedCopy);
  absl::StatusOr<UniqueFd> fd = OpenVerifiedProgram(
      request.command, program_, *ReadCallerContext(), nullptr);
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(pwrite(fd->get(), "x", 1, 0), -1);
  EXPECT_EQ(ftruncate(fd->get(), 0), -1);
  EXPECT_EQ(ftruncate(fd->get(), 1 << 30), -1);
  const UniqueFd again(open(absl::StrCat("/proc/self/fd/", fd->get()).c_str(),
                            O_RDWR | O_CLOEXEC));
  EXPECT_EQ(pwrite(again.get(), "x", 1, 0), -1);
  struct stat info = {};
  ASSERT_EQ(fstat(fd->get(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0755u);
}

TEST_F(VerifiedProgramTest, WhatTheProgramSeesOfItself) {
  EXPECT_EQ(OutputOf(Checked({"link", "/proc/self/exe"}, Mode::kByDescriptor)),
            program_);
  EXPECT_EQ(OutputOf(Checked({"link", "/proc/self/exe"}, Mode::kSealedCopy)),
            "/memfd:program (deleted)");
}

TEST_F(VerifiedProgramTest, DescriptorOfTheProgramIsNotInTheWay) {
  SpawnRequest request = Checked({"fds"}, Mode::kByDescriptor);
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  // All the numbers that it can have got.
  std::string expected = "0\n1\n2\n";
  for (int number = 3; number < 40; ++number) {
    request.command.descriptors.push_back({null.get(), number});
    absl::StrAppend(&expected, number, "\n");
  }
  EXPECT_EQ(OutputOf(request), expected);
}

TEST_F(VerifiedProgramTest, TooLargeForACopy) {
  const SpawnRequest request = Checked({}, Mode::kSealedCopy);
  ASSERT_EQ(truncate(program_.c_str(), (off_t{4} << 30) + 1), 0);
  const absl::Status status = Spawn(request).status();
  EXPECT_EQ(Details(status).reason, Reason::kSpawn);
  EXPECT_THAT(Evidence(status), HasSubstr("4294967297 bytes"));
  EXPECT_THAT(Details(status).hint, HasSubstr("4 GiB"));
}

TEST_F(VerifiedProgramTest, WithoutMemoryFiles) {
  EXPECT_EQ(InFork([this]() -> std::string {
              if (!FailSystemCall(SYS_memfd_create, EACCES)) return "seccomp";
              const absl::Status status =
                  Spawn(Checked({}, Mode::kSealedCopy)).status();
              EXPECT_EQ(Details(status).reason, Reason::kSpawn);
              EXPECT_THAT(Evidence(status), HasSubstr("sealed copy"));
              EXPECT_THAT(Details(status).hint, HasSubstr("memfd_noexec"));
              return "";
            }),
            "");
}

}  // namespace
}  // namespace goplugin::internal

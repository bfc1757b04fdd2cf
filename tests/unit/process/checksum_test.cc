#include "goplugin/internal/process/checksum.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "goplugin/internal/text/hex.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;
using Hash = SecureConfig::Hash;

class ChecksumTest : public ProcessTest {
 protected:
  UniqueFd Open(const std::string& content) {
    return UniqueFd(
        open(WriteFile("file", content).c_str(), O_RDWR | O_CLOEXEC));
  }
};

// Of "abc", as NIST gives them.
constexpr char kAbc256[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kAbc384[] =
    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
    "8086072ba1e7cc2358baeca134c825a7";
constexpr char kAbc512[] =
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

TEST_F(ChecksumTest, KnownDigests) {
  const UniqueFd fd = Open("abc");
  // Wherever the file is read from by others.
  ASSERT_EQ(lseek(fd.get(), 2, SEEK_SET), 2);
  std::string digest;
  ASSERT_EQ(HashFile(fd.get(), Hash::kSha256, 3, nullptr, digest), 0);
  EXPECT_EQ(absl::BytesToHexString(digest), kAbc256);
  ASSERT_EQ(HashFile(fd.get(), Hash::kSha384, 3, nullptr, digest), 0);
  EXPECT_EQ(absl::BytesToHexString(digest), kAbc384);
  ASSERT_EQ(HashFile(fd.get(), Hash::kSha512, 3, nullptr, digest), 0);
  EXPECT_EQ(absl::BytesToHexString(digest), kAbc512);
}

TEST_F(ChecksumTest, NeitherPastItsEndNorForEver) {
  // Larger than one read.
  const UniqueFd fd = Open(std::string(1000000, 'x'));
  size_t bytes = 0;
  const auto count = [&bytes](absl::string_view chunk) {
    bytes += chunk.size();
    return 0;
  };
  EXPECT_EQ(ReadFile(fd.get(), 1000000, nullptr, count), 0);
  EXPECT_EQ(bytes, 1000000u);
  // Had it grown since its size was taken, that must not go unseen.
  bytes = 0;
  EXPECT_EQ(ReadFile(fd.get(), 10, nullptr, count), 0);
  EXPECT_GT(bytes, 10u);
  EXPECT_LT(bytes, 1000000u);
}

TEST_F(ChecksumTest, ErrorsEndIt) {
  const UniqueFd fd = Open("abc");
  EXPECT_EQ(
      ReadFile(fd.get(), 3, nullptr, [](absl::string_view) { return ENOSPC; }),
      ENOSPC);
  std::string digest;
  EXPECT_EQ(HashFile(-1, Hash::kSha256, 3, nullptr, digest), EBADF);
}

TEST_F(ChecksumTest, EndsWhenNobodyWaits) {
  const UniqueFd fd = Open(std::string(4000000, 'x'));
  std::atomic<bool> abandoned(false);
  int chunks = 0;
  EXPECT_EQ(ReadFile(fd.get(), 4000000, &abandoned,
                     [&](absl::string_view) {
                       ++chunks;
                       abandoned = true;
                       return 0;
                     }),
            ECANCELED);
  EXPECT_EQ(chunks, 1);
}

TEST_F(ChecksumTest, ExpectedAsBytesOrDigits) {
  const std::string bytes = DecodeHex(kAbc256);
  EXPECT_EQ(*ExpectedDigest({kAbc256, Hash::kSha256}), bytes);
  EXPECT_EQ(*ExpectedDigest({absl::AsciiStrToUpper(kAbc256), Hash::kSha256}),
            bytes);
  EXPECT_EQ(*ExpectedDigest({bytes, Hash::kSha256}), bytes);
  EXPECT_EQ(*ExpectedDigest({kAbc384, Hash::kSha384}), DecodeHex(kAbc384));
  EXPECT_EQ(*ExpectedDigest({kAbc512, Hash::kSha512}), DecodeHex(kAbc512));
  // 64 bytes, whatever they look like.
  EXPECT_EQ(*ExpectedDigest({kAbc256, Hash::kSha512}), kAbc256);
}

TEST_F(ChecksumTest, ExpectedOfAnotherLength) {
  std::string no_digits = kAbc256;
  no_digits[7] = 'g';
  for (const std::string& bad :
       {std::string(), std::string("ba7816bf"), std::string(kAbc512), no_digits,
        std::string(kAbc256) + "\n"}) {
    const absl::Status status = ExpectedDigest({bad, Hash::kSha256}).status();
    EXPECT_EQ(Details(status).reason, Reason::kOptions) << bad;
    EXPECT_THAT(Evidence(status), HasSubstr("a SHA-256 has 32")) << bad;
    EXPECT_THAT(Details(status).hint, HasSubstr("sha256sum")) << bad;
  }
}

}  // namespace
}  // namespace goplugin::internal

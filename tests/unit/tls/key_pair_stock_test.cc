#include "goplugin/internal/tls/key_pair_stock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "goplugin/internal/tls/certificate.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

std::string TakeOne() {
  const absl::StatusOr<KeyPair> taken = KeyPairStock::Take();
  return taken.ok() ? taken->certificate_der : "";
}

TEST(KeyPairStockTest, EachIsGivenOutOnce) {
  std::set<std::string> seen;
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(seen.insert(TakeOne()).second);
    if (i % 3 != 0) KeyPairStock::Refill();
  }
}

TEST(KeyPairStockTest, AForkedChildDoesNotUseItsParents) {
  TakeOne();
  KeyPairStock::Refill();
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string taken = TakeOne();
    const bool written = write(pipe_ends[1], taken.data(), taken.size()) ==
                         static_cast<ssize_t>(taken.size());
    _exit(written ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  close(pipe_ends[1]);
  std::string childs(4096, '\0');
  childs.resize(read(pipe_ends[0], &childs[0], childs.size()));
  close(pipe_ends[0]);
  EXPECT_FALSE(childs.empty());
  EXPECT_NE(childs, TakeOne());
}

}  // namespace
}  // namespace goplugin::internal

// This SDK's host and this SDK's plugin over one multiplexed connection: much
// data beside small calls, and what the plugin prints.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "goplugin/broker.h"
#include "tests/integration/live.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"
#include "tests/support/broker/bulk.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

using Network = Endpoint::Network;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kMebibytes = 64;
#else
constexpr int kMebibytes = 1024;
#endif

class MultiplexTest : public HarnessTest,
                      public ::testing::WithParamInterface<Wiring> {
 protected:
  void SetUp() override {
    HarnessTest::SetUp();
    ClientOptions options = KvOptions();
    options.stdio_sink = stdio_;
    client_ = LaunchBrokerPlugin(GetParam(), std::move(options));
    ASSERT_NE(client_, nullptr);
    EXPECT_TRUE(client_->multiplexed());
  }
  void TearDown() override {
    if (client_ != nullptr) {
      EXPECT_EQ(client_->Shutdown(), absl::OkStatus());
      client_.reset();
    }
    HarnessTest::TearDown();
  }

  AdderService adder_;
  std::shared_ptr<RecordingStdioSink> stdio_ =
      std::make_shared<RecordingStdioSink>();
  std::unique_ptr<Client> client_;
};

TEST_P(MultiplexTest, BulkBesideSmallCalls) {
  auto small = client_->broker().Dial(PluginAccepts(*client_, 1).ids(0));
  ASSERT_TRUE(small.ok()) << small.status().message();
  const absl::StatusOr<BulkResult> result =
      MoveBulk(client_->channel(), *small, kMebibytes);
  ASSERT_TRUE(result.ok()) << result.status();
  std::printf("%s\n", ToString(*result).c_str());
  EXPECT_EQ(result->put_bytes, std::int64_t{kMebibytes} << 20);
  EXPECT_EQ(result->got_bytes, std::int64_t{kMebibytes} << 20);
  EXPECT_GT(result->small_calls, 1);
}

// The plugin's half of it, over a stream that it opened: all on that one.
TEST_P(MultiplexTest, BulkOnABrokeredConnection) {
  constexpr int kLess = kMebibytes / 8;
  BulkService bulk;
  auto server = client_->broker().AcceptAndServe(1, {&adder_, &bulk});
  ASSERT_TRUE(server.ok()) << server.status().message();
  const broker::Outcome moved = PluginMovesBulk(*client_, 1, kLess);
  EXPECT_EQ(moved.message(), "");
  ASSERT_EQ(moved.sums_size(), 2);
  EXPECT_EQ(moved.sums(0), std::int64_t{kLess} << 20);
  EXPECT_EQ(moved.sums(1), std::int64_t{kLess} << 20);
}

// More than windows and buffers hold. Not faster than it is read: Serve drops
// what nobody reads.
TEST_P(MultiplexTest, AFloodOfPrintsArrivesWhole) {
  constexpr size_t kPiece = size_t{256} << 10;
  for (size_t printed = kPiece; printed <= 16 * kPiece; printed += kPiece) {
    PluginPrints(*client_, kPiece);
    ASSERT_TRUE(Eventually([&] { return stdio_->piped().size() >= printed; }));
    ASSERT_EQ(stdio_->piped().size(), printed);
  }
  EXPECT_EQ(stdio_->raw(), "");
}

TEST_P(MultiplexTest, NoSocketStays) {
  const std::string address = client_->endpoint().address;
  if (GetParam().network == Network::kUnix) {
    EXPECT_TRUE(absl::StartsWith(address, absl::StrCat(temp(), "/")));
    EXPECT_TRUE(std::filesystem::is_socket(address)) << address;
  }
  EXPECT_EQ(client_->Shutdown(), absl::OkStatus());
  for (const auto& left :
       std::filesystem::recursive_directory_iterator(temp())) {
    ADD_FAILURE() << left.path() << " was left behind";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Wired, MultiplexTest,
    ::testing::Values(Wiring{Network::kUnix, TlsMode::kInsecure, true},
                      Wiring{Network::kUnix, TlsMode::kAutoMtls, true},
                      Wiring{Network::kTcp, TlsMode::kInsecure, true}),
    WiringName);

}  // namespace
}  // namespace goplugin::testing

#ifndef TESTS_UNIT_CHANNEL_ANY_WAY_TEST_H_
#define TESTS_UNIT_CHANNEL_ANY_WAY_TEST_H_

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/support/string_ref.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>

#include "tests/support/calls/calls.grpc.pb.h"
#include "tests/unit/channel/calls_world.h"

namespace goplugin::internal {

// A way for calls to get to a plugin: what it takes, while it is open. Its end
// comes after that of the calls, and looks whether anything of them is left.
class OpenWay {
 public:
  virtual ~OpenWay() = default;
  virtual std::shared_ptr<grpc::ChannelInterface> channel() = 0;
};

struct Way {
  const char* name;
  // `plugin` is there for longer.
  std::function<std::unique_ptr<OpenWay>(const Plugin& plugin)> open;
};

inline std::ostream& operator<<(std::ostream& out, const Way& way) {
  return out << way.name;
}

// The methods of the service, for what is said of each.
inline constexpr const char* kCallsMethods[] = {
    "/goplugin.testing.Calls/One", "/goplugin.testing.Calls/Collect",
    "/goplugin.testing.Calls/Split", "/goplugin.testing.Calls/Talk"};

// Calls whose results are the same on every way. Who links them says which
// there are: INSTANTIATE_TEST_SUITE_P(Ways, AnyWayTest, ..., NameOfWay).
class AnyWayTest : public ::testing::TestWithParam<Way> {
 protected:
  void Use(const Plugin& plugin) {
    Leave();
    way_ = GetParam().open(plugin);
    channel_ = way_->channel();
    stub_ = Calls::NewStub(channel_);
  }
  void Leave() {
    stub_.reset();
    channel_.reset();
    way_.reset();
  }
  void SetUp() override { Use(plugin_); }

  static void Fill(grpc::ClientContext& context) {
    context.set_deadline(Soon());
    context.AddMetadata("echo", "one");
    context.AddMetadata("echo", "two");
    context.AddMetadata("echo-bin", std::string("\0\xff", 2));
  }
  using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;
  static void ExpectEchoes(const Metadata& metadata, const std::string& where) {
    EXPECT_EQ(metadata.size(), 3u) << where;
    EXPECT_EQ(metadata.count(where + "-echo"), 2u);
    const auto binary = metadata.find(where + "-echo-bin");
    ASSERT_NE(binary, metadata.end());
    EXPECT_EQ(binary->second, grpc::string_ref("\0\xff", 2));
  }
  static void ExpectEchoes(const grpc::ClientContext& context) {
    ExpectEchoes(context.GetServerInitialMetadata(), "initial");
    ExpectEchoes(context.GetServerTrailingMetadata(), "trailing");
  }
  void Next(const void* expected, bool expected_ok = true) {
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue_.Next(&tag, &ok));
    EXPECT_EQ(tag, expected);
    EXPECT_EQ(ok, expected_ok);
  }
  void TearDown() override {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
    Leave();
  }

  grpc::CompletionQueue queue_;
  Plugin plugin_;
  std::unique_ptr<OpenWay> way_;
  std::shared_ptr<grpc::ChannelInterface> channel_;
  std::unique_ptr<Calls::Stub> stub_;
};

inline std::string NameOfWay(const ::testing::TestParamInfo<Way>& way) {
  return way.param.name;
}

}  // namespace goplugin::internal

#endif  // TESTS_UNIT_CHANNEL_ANY_WAY_TEST_H_

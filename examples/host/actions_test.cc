// How a host's own code is tested without a plugin's program: the plugin runs
// inside the test.

#include "examples/host/actions.h"

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "examples/proto/kv.grpc.pb.h"
#include "gmock/gmock.h"
#include "goplugin/testing/in_process_plugin.h"
#include "goplugin/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace host {
namespace {

using ::goplugin::testing::HasStderr;
using ::goplugin::testing::InProcessPlugin;
using ::goplugin::testing::IsOk;
using ::goplugin::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Property;

// The plugin's service as this test wants it.
class FakeKv final : public proto::KV::Service {
 public:
  grpc::Status Put(grpc::ServerContext*, const proto::PutRequest* request,
                   proto::Empty*) override {
    last_put_ = request->key() + "=" + request->value();
    return grpc::Status::OK;
  }
  grpc::Status Get(grpc::ServerContext*, const proto::GetRequest*,
                   proto::GetResponse*) override {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such key");
  }

  const std::string& last_put() const { return last_put_; }

 private:
  std::string last_put_;
};

class ActionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    goplugin::ClientOptions options;
    options.handshake.protocol_versions = {1};
    absl::StatusOr<std::unique_ptr<goplugin::Client>> client =
        plugin_.Launch(options);
    ASSERT_THAT(client, IsOk());
    client_ = *std::move(client);
    arguments_.key = "hello";
    arguments_.value = "world";
  }

  absl::Status ActAs(Arguments::Action action) {
    arguments_.action = action;
    return Act(*client_, arguments_, console_);
  }

  FakeKv kv_;
  InProcessPlugin plugin_{&kv_};
  std::unique_ptr<goplugin::Client> client_;
  Arguments arguments_;
  Console console_;
};

TEST_F(ActionsTest, PutReachesThePlugin) {
  EXPECT_THAT(ActAs(Arguments::Action::kPut), IsOk());
  EXPECT_EQ(kv_.last_put(), "hello=world");
}

TEST_F(ActionsTest, ThePluginsErrorIsTold) {
  EXPECT_THAT(
      ActAs(Arguments::Action::kGet),
      AllOf(Property(&absl::Status::code, absl::StatusCode::kNotFound),
            Property(&absl::Status::message, HasSubstr("no such key"))));
}

TEST_F(ActionsTest, ACrashIsToldWithThePluginsLastWords) {
  plugin_.WriteStderr("out of disk\n");
  plugin_.End({goplugin::ExitStatus::Kind::kExited, 2});
  EXPECT_THAT(
      ActAs(Arguments::Action::kPut),
      AllOf(StatusIs(goplugin::Reason::kCrashed), HasStderr("out of disk")));
}

}  // namespace
}  // namespace host

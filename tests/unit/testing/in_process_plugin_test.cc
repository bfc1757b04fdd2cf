#include "goplugin/testing/in_process_plugin.h"

#include <signal.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "gmock/gmock.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "goplugin/testing/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/support/deep/deep.grpc.pb.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr ExitStatus kExited0{ExitStatus::Kind::kExited, 0};
constexpr ExitStatus kExited2{ExitStatus::Kind::kExited, 2};

// Get answers the key; of "hold", when the call is cancelled.
class EchoService final : public proto::KV::Service {
 public:
  grpc::Status Get(grpc::ServerContext* context,
                   const proto::GetRequest* request,
                   proto::GetResponse* response) override {
    if (request->key() == "hold") {
      held_.Notify();
      while (!context->IsCancelled()) {
        absl::SleepFor(absl::Milliseconds(1));
      }
    }
    response->set_value(request->key());
    return grpc::Status::OK;
  }

  void WaitUntilHeld() { held_.WaitForNotification(); }

 private:
  absl::Notification held_;
};

class InProcessPluginTest : public HarnessTest {
 protected:
  // A launch that must succeed.
  std::unique_ptr<Client> Launch(ClientOptions options = KvOptions()) {
    absl::StatusOr<std::unique_ptr<Client>> client =
        plugin_->Launch(std::move(options));
    EXPECT_THAT(client, IsOk());
    return client.ok() ? *std::move(client) : nullptr;
  }

  EchoService echo_;
  std::unique_ptr<InProcessPlugin> plugin_ =
      std::make_unique<InProcessPlugin>(InProcessPluginOptions{{&echo_}, 1});
};

TEST_F(InProcessPluginTest, ServesAndEndsAsARealOne) {
  const std::unique_ptr<Client> client = Launch();
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Get(*client, "hello"), "hello");
  EXPECT_THAT(client->Ping(), IsOk());
  EXPECT_EQ(client->protocol_version(), 1u);
  EXPECT_EQ(client->pid(), -1);
  EXPECT_FALSE(client->uses_tls());
  EXPECT_GT(client->timings().ready, absl::ZeroDuration());
  EXPECT_FALSE(client->exited());

  absl::Notification told;
  client->OnExit([&](ExitStatus status, absl::Status error) {
    EXPECT_EQ(status, kExited0);
    EXPECT_THAT(error, IsOk());
    told.Notify();
  });
  EXPECT_THAT(client->Shutdown(), IsOk());
  told.WaitForNotification();
  EXPECT_EQ(client->exit_status(), kExited0);
  EXPECT_THAT(Get(*client, "hello"), HasSubstr("error"));
}

TEST_F(InProcessPluginTest, KillIsAKill) {
  const std::unique_ptr<Client> client = Launch();
  ASSERT_NE(client, nullptr);
  EXPECT_THAT(client->Kill(), IsOk());
  EXPECT_EQ(client->exit_status(),
            (ExitStatus{ExitStatus::Kind::kSignalled, SIGKILL}));
}

TEST_F(InProcessPluginTest, ItsEndIsACrashWithItsLastWords) {
  const std::unique_ptr<Client> client = Launch();
  ASSERT_NE(client, nullptr);
  plugin_->WriteStderr("out of ");
  plugin_->WriteStderr("disk\n");
  plugin_->End(kExited2);
  plugin_->End(kExited0);  // the first counts
  const absl::StatusOr<ExitStatus> exit = client->WaitForExit(kPatience);
  ASSERT_THAT(exit, IsOk());
  EXPECT_EQ(*exit, kExited2);
  const grpc::Status call(grpc::StatusCode::UNAVAILABLE, "gone");
  EXPECT_THAT(client->Explain(call),
              AllOf(StatusIs(Reason::kCrashed), HasStderr("out of disk"),
                    HasHint("its last words on stderr say why")));
  EXPECT_THAT(client->Shutdown(), StatusIs(Reason::kCrashed));
}

TEST_F(InProcessPluginTest, ACallUnderWayFailsWhenItEnds) {
  const std::unique_ptr<Client> client = Launch();
  ASSERT_NE(client, nullptr);
  grpc::ClientContext context;
  proto::GetRequest request;
  request.set_key("hold");
  proto::GetResponse response;
  grpc::Status status;
  absl::Notification done;
  const std::unique_ptr<proto::KV::Stub> kv = client->NewStub<proto::KV>();
  kv->async()->Get(&context, &request, &response, [&](grpc::Status answer) {
    status = std::move(answer);
    done.Notify();
  });
  echo_.WaitUntilHeld();
  plugin_->End(kExited2);
  done.WaitForNotification();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(client->Explain(status), StatusIs(Reason::kCrashed));
}

TEST_F(InProcessPluginTest, LogAndOutputReachTheSinks) {
  auto log = std::make_shared<RecordingLogSink>();
  auto stdio = std::make_shared<RecordingStdioSink>();
  ClientOptions options = KvOptions();
  options.log_sink = log;
  options.stdio_sink = stdio;
  const std::unique_ptr<Client> client = Launch(options);
  ASSERT_NE(client, nullptr);
  plugin_->WriteStderr(R"({"@level":"warn","@message":"hot","degrees":90})"
                       "\n");
  plugin_->WriteStdout("printed\n");
  EXPECT_TRUE(log->WaitFor([](const LogEntry& entry) {
    return entry.level == LogLevel::kWarn && entry.message == "hot" &&
           entry.fields.size() == 1;
  }));
  EXPECT_TRUE(stdio->WaitForPiped("printed\n"));
}

TEST_F(InProcessPluginTest, BothSidesCanUseTheBroker) {
  Broker* plugins = nullptr;
  InProcessPluginOptions options;
  options.services = {&echo_};
  options.on_broker = [&plugins](Broker& broker) { plugins = &broker; };
  plugin_ = std::make_unique<InProcessPlugin>(std::move(options));
  const std::unique_ptr<Client> client = Launch();
  ASSERT_NE(client, nullptr);
  ASSERT_NE(plugins, nullptr);
  Broker& hosts = client->broker();
  const std::pair<Broker*, Broker*> ways[] = {{plugins, &hosts},
                                              {&hosts, plugins}};
  for (const auto& [server, dialler] : ways) {
    const std::uint32_t id = server->NextId();
    const absl::StatusOr<std::unique_ptr<BrokerServer>> serving =
        server->AcceptAndServe(id, {&echo_});
    ASSERT_THAT(serving, IsOk());
    const absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
        dialler->Dial(id);
    ASSERT_THAT(channel, IsOk());
    grpc::ClientContext context;
    proto::GetRequest request;
    request.set_key("brokered");
    proto::GetResponse response;
    const grpc::Status status =
        proto::KV::NewStub(*channel)->Get(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.value(), "brokered");
  }
  EXPECT_THAT(client->Shutdown(), IsOk());
  EXPECT_THAT(plugins->Dial(7), StatusIs(Reason::kShutDown));
}

TEST_F(InProcessPluginTest, WhatNeedsAProcessSaysSo) {
  const std::unique_ptr<Client> client = Launch();
  ASSERT_NE(client, nullptr);
  EXPECT_THAT(
      client->reattach_config(),
      AllOf(StatusIs(Reason::kNoProcessControl),
            HasWhat("in this very process"), HasHint("launch a real plugin")));
  EXPECT_THAT(client->Detach(), StatusIs(Reason::kNoProcessControl));
  EXPECT_EQ(Get(*client, "still"), "still");
}

TEST_F(InProcessPluginTest, ThePluginMayGoFirst) {
  const std::unique_ptr<Client> client = Launch();
  ASSERT_NE(client, nullptr);
  plugin_.reset();
  EXPECT_THAT(client->WaitForExit(kPatience), IsOk());
  // With success, and just before: whoever ended it may have meant the host
  // too.
  EXPECT_THAT(client->Shutdown(), IsOk());
}

TEST_F(InProcessPluginTest, OneThatFailsFirstHasCrashed) {
  const std::unique_ptr<Client> client = Launch();
  ASSERT_NE(client, nullptr);
  plugin_->End(kExited2);
  EXPECT_THAT(client->WaitForExit(kPatience), IsOk());
  EXPECT_THAT(client->Shutdown(), StatusIs(Reason::kCrashed));
}

TEST_F(InProcessPluginTest, IsLaunchedOnce) {
  const std::unique_ptr<Client> client = Launch();
  ASSERT_NE(client, nullptr);
  EXPECT_THAT(plugin_->Launch(KvOptions()),
              AllOf(StatusIs(Reason::kOptions), HasWhat("launched before"),
                    HasHint("for each launch")));
  EXPECT_EQ(Get(*client, "first"), "first");
}

TEST_F(InProcessPluginTest, VersionsHaveToMeet) {
  ClientOptions options = KvOptions();
  options.handshake.protocol_versions = {2, 3};
  EXPECT_THAT(plugin_->Launch(options),
              AllOf(StatusIs(Reason::kAppVersion), HasHint("1")));
}

TEST_F(InProcessPluginTest, NotLaunchedItDoesNothing) {
  plugin_->WriteStderr("lost\n");
  plugin_->End(kExited2);
  const std::unique_ptr<Client> client = Launch();
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Get(*client, "alive"), "alive");
}

// As documented: there is no TLS, so nothing of it matters.
TEST_F(InProcessPluginTest, TlsIsNotLookedAt) {
  ClientOptions options = KvOptions();
  options.tls.mode = TlsMode::kManual;
  options.tls.certificate_chain = "no certificate";
  const std::unique_ptr<Client> client = Launch(options);
  ASSERT_NE(client, nullptr);
  EXPECT_FALSE(client->uses_tls());
  EXPECT_EQ(Get(*client, "hello"), "hello");
}

TEST_F(InProcessPluginTest, ForOneServiceItIsTheArgument) {
  InProcessPlugin plugin(&echo_, 7);
  ClientOptions options = KvOptions();
  options.handshake.protocol_versions = {5, 7};
  absl::StatusOr<std::unique_ptr<Client>> client = plugin.Launch(options);
  ASSERT_THAT(client, IsOk());
  EXPECT_EQ((*client)->protocol_version(), 7u);
  EXPECT_EQ(Get(**client, "hello"), "hello");
}

class DeepService final : public Deep::Service {
 public:
  grpc::Status Dig(grpc::ServerContext*, const Depth* depth,
                   Node* answer) override {
    for (int i = 0; i < depth->levels(); ++i) answer = answer->mutable_child();
    return grpc::Status::OK;
  }
};

// Others write what C++ does not read.
TEST_F(InProcessPluginTest, AnAnswerNestedOver100LevelsIsToldApart) {
  DeepService deep;
  InProcessPlugin plugin(&deep);
  absl::StatusOr<std::unique_ptr<Client>> client = plugin.Launch(KvOptions());
  ASSERT_THAT(client, IsOk());
  const auto dig = [&client](int levels) {
    grpc::ClientContext context;
    Depth depth;
    depth.set_levels(levels);
    Node answer;
    return (*client)->NewStub<Deep>()->Dig(&context, depth, &answer);
  };
  EXPECT_TRUE(dig(90).ok());
  const grpc::Status refused = dig(110);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT((*client)->Explain(refused),
              AllOf(HasHint("nested over 100 levels"),
                    Not(HasHint("the plugin's own answer"))));
  // A plugin's own UNIMPLEMENTED stays its own.
  EXPECT_THAT((*client)->Explain(grpc::Status(grpc::StatusCode::UNIMPLEMENTED,
                                              "not in this edition")),
              HasHint("the plugin's own answer"));
}

// An on_broker that holds its launch up until it is told to go on.
class LateStartTest : public InProcessPluginTest {
 protected:
  void SetUp() override {
    InProcessPluginTest::SetUp();
    InProcessPluginOptions options;
    options.services = {&echo_};
    options.on_broker = [this](Broker&) {
      begun_.Notify();
      go_on_.WaitForNotification();
    };
    plugin_ = std::make_unique<InProcessPlugin>(std::move(options));
  }

  void FailToLaunch() {
    ClientOptions options = KvOptions();
    options.start_timeout = absl::Milliseconds(200);
    EXPECT_THAT(plugin_->Launch(options), StatusIs(Reason::kReattachNotFound));
    begun_.WaitForNotification();
  }

  absl::Notification begun_;
  absl::Notification go_on_;
};

TEST_F(LateStartTest, AStartThatEndsAfterItsLaunchLeavesNothing) {
  FailToLaunch();
  go_on_.Notify();
  plugin_.reset();
}

// The services may go when the destructor has returned.
TEST_F(LateStartTest, TheDestructorWaitsForAStartUnderWay) {
  FailToLaunch();
  std::thread later([this] {
    absl::SleepFor(absl::Milliseconds(100));
    go_on_.Notify();
  });
  plugin_.reset();
  EXPECT_TRUE(go_on_.HasBeenNotified());
  later.join();
}

TEST_F(LateStartTest, EndBesideAStartUnderWayIsWithoutEffect) {
  FailToLaunch();
  plugin_->End(kExited2);
  plugin_->WriteStderr("lost\n");
  plugin_->WriteStdout("lost\n");
  go_on_.Notify();
  plugin_.reset();
}

}  // namespace
}  // namespace goplugin::testing

#include "goplugin/internal/serve/broker_service.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "goplugin/internal/broker/conn_info.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/serve/service_methods.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kLong = absl::Seconds(60);

Endpoint Place() { return {Endpoint::Network::kUnix, "/run/b/1"}; }

using Stream = grpc::ClientReaderWriter<wire::ConnInfo, wire::ConnInfo>;

// A host's stream.
struct HostStream {
  explicit HostStream(grpc::Channel& channel)
      : stream(grpc::internal::ClientReaderWriterFactory<wire::ConnInfo,
                                                         wire::ConnInfo>::
                   Create(&channel,
                          grpc::internal::RpcMethod(
                              "/plugin.GRPCBroker/StartStream",
                              grpc::internal::RpcMethod::BIDI_STREAMING),
                          &context)) {}

  grpc::ClientContext context;
  std::unique_ptr<Stream> stream;
};

class BrokerServiceTest : public ::testing::Test {
 protected:
  enum class Attached { kBefore, kLater };

  explicit BrokerServiceTest(Attached attach = Attached::kBefore) {
    BrokerSetup setup;
    setup.peer = "host";
    setup.warn = [](const std::string&) {};
    core_ = std::make_shared<BrokerCore>(std::move(setup));
    if (attach == Attached::kBefore) service_.Attach(core_);
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    // Not gRPC's in-process transport: there a write waits for its read.
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    server_ = builder.BuildAndStart();
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", port),
                                   grpc::InsecureChannelCredentials());
  }
  ~BrokerServiceTest() override { service_.Close(); }

  std::shared_ptr<BrokerCore> core_;
  BrokerService service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(BrokerServiceTest, CarriesAnnouncementsBothWays) {
  HostStream host(*channel_);
  ASSERT_TRUE(host.stream->Write(AnnouncementOf(5, Place())));
  auto found = core_->Await(5, kLong);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, Place());
  ASSERT_TRUE(core_->Announce(8, Place()).ok());
  wire::ConnInfo info;
  ASSERT_TRUE(host.stream->Read(&info));
  EXPECT_EQ(info.service_id(), 8u);
}

class EarlyCallTest : public BrokerServiceTest {
 protected:
  EarlyCallTest() : BrokerServiceTest(Attached::kLater) {}
};

TEST_F(EarlyCallTest, WaitsForTheBroker) {
  HostStream host(*channel_);
  ASSERT_TRUE(host.stream->Write(AnnouncementOf(5, Place())));
  service_.Attach(core_);
  EXPECT_TRUE(core_->Await(5, kLong).ok());
}

TEST_F(EarlyCallTest, EndsWithThePlugin) {
  HostStream host(*channel_);
  ASSERT_TRUE(host.stream->Write(AnnouncementOf(5, Place())));
  service_.Close();
  EXPECT_EQ(host.stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(BrokerServiceTest, TheNewestStreamTakesOver) {
  HostStream old_host(*channel_);
  ASSERT_TRUE(old_host.stream->Write(AnnouncementOf(1, Place())));
  ASSERT_TRUE(core_->Await(1, kLong).ok());
  HostStream new_host(*channel_);
  ASSERT_TRUE(new_host.stream->Write(AnnouncementOf(2, Place())));
  ASSERT_TRUE(core_->Await(2, kLong).ok());
  // The old one ends, and that breaks nothing.
  wire::ConnInfo info;
  EXPECT_FALSE(old_host.stream->Read(&info));
  EXPECT_FALSE(old_host.stream->Finish().ok());
  ASSERT_TRUE(core_->Announce(8, Place()).ok());
  ASSERT_TRUE(new_host.stream->Read(&info));
  EXPECT_EQ(info.service_id(), 8u);
}

TEST_F(BrokerServiceTest, AHostThatGoesBreaksTheStream) {
  {
    HostStream host(*channel_);
    ASSERT_TRUE(host.stream->Write(AnnouncementOf(1, Place())));
    ASSERT_TRUE(core_->Await(1, kLong).ok());
    host.context.TryCancel();
  }
  const auto details = GetErrorDetails(core_->Await(2, kLong).status());
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, Reason::kConnect);
  EXPECT_EQ(details->what, "the connection to the host's broker is broken");
  // Another may come.
  HostStream next(*channel_);
  ASSERT_TRUE(next.stream->Write(AnnouncementOf(3, Place())));
  // Until it is seen, the broker may still be broken.
  while (!core_->Await(3, kLong).ok()) {
  }
  EXPECT_TRUE(core_->Announce(9, Place()).ok());
}

TEST_F(BrokerServiceTest, CloseEndsTheStreamAndRefusesMore) {
  HostStream host(*channel_);
  ASSERT_TRUE(host.stream->Write(AnnouncementOf(1, Place())));
  ASSERT_TRUE(core_->Await(1, kLong).ok());
  service_.Close();
  wire::ConnInfo info;
  EXPECT_FALSE(host.stream->Read(&info));
  HostStream late(*channel_);
  EXPECT_FALSE(late.stream->Read(&info));
  EXPECT_FALSE(late.stream->Finish().ok());
}

}  // namespace
}  // namespace goplugin::internal

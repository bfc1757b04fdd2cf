#include "goplugin/internal/serve/broker_service.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/broker/conn_info.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/serve/service_methods.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "gtest/gtest.h"
#include "tests/support/failing_calls/failing_calls.h"

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

// A stream and what has come on it.
class ReadingHost {
 public:
  ReadingHost(grpc::Channel& channel, std::uint32_t id)
      : id_(id), host_(channel), reader_([this] {
          host_.stream->Write(AnnouncementOf(id_, Place()));
          wire::ConnInfo info;
          state_ = host_.stream->Read(&info) ? State::kTold : State::kEnded;
        }) {}
  ~ReadingHost() {
    host_.context.TryCancel();
    reader_.join();
  }
  ReadingHost(const ReadingHost&) = delete;
  ReadingHost& operator=(const ReadingHost&) = delete;

  std::uint32_t id() const { return id_; }
  bool ended() const { return state_ == State::kEnded; }
  // Until it is told of an id, or ten seconds.
  bool IsTold() const {
    for (int i = 0; i < 10000 && state_ == State::kReading; ++i) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    return state_ == State::kTold;
  }

 private:
  enum class State { kReading, kTold, kEnded };

  const std::uint32_t id_;
  HostStream host_;
  std::atomic<State> state_{State::kReading};
  std::thread reader_;
};

// Two at the same time, while those before them end: one is the broker's.
TEST_F(BrokerServiceTest, StreamsThatComeAndGoAtTheSameTime) {
  constexpr std::uint32_t kRounds = 20;
  for (std::uint32_t round = 1; round <= kRounds && !HasFailure(); ++round) {
    ReadingHost one(*channel_, 2 * round);
    ReadingHost other(*channel_, 2 * round + 1);
    while (!one.ended() && !other.ended()) {
      absl::SleepFor(absl::Microseconds(50));
    }
    const ReadingHost& newest = one.ended() ? other : one;
    // Until it is seen, the broker may still be broken.
    while (!core_->Await(newest.id(), kLong).ok()) {
    }
    ASSERT_EQ(core_->Announce(round, Place()), absl::OkStatus());
    EXPECT_TRUE(newest.IsTold()) << "in round " << round;
  }
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

TEST_F(BrokerServiceTest, ALongMessageEndsTheStream) {
  HostStream host(*channel_);
  wire::ConnInfo info = AnnouncementOf(1, Place());
  info.set_address(std::string(size_t{5} * 1024 * 1024, 'p'));
  ASSERT_TRUE(host.stream->Write(info));
  EXPECT_FALSE(host.stream->Read(&info));
  const grpc::Status status = host.stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(absl::StrContains(status.error_message(), "4194304"))
      << status.error_message();
}

// Knocks without end, whose answers nobody takes: the host's own writes stop.
TEST_F(BrokerServiceTest, AHostThatDoesNotReadIsNotRead) {
  HostStream host(*channel_);
  absl::Mutex mutex;
  int written = 0;
  bool stopped = false;
  std::thread flood([&] {
    while (host.stream->Write(KnockAt(1))) {
      MutexLock lock(mutex);
      ++written;
    }
    MutexLock lock(mutex);
    stopped = true;
  });
  // Until nothing moves any more.
  int before = -1;
  const auto moved = [&] {
    mutex.AssertReaderHeld();
    return written != before || stopped;
  };
  while (true) {
    MutexLock lock(mutex);
    if (!mutex.AwaitWithTimeout(absl::Condition(&moved), absl::Seconds(1))) {
      break;
    }
    before = written;
    ASSERT_FALSE(stopped);
  }
  // This side's own are still taken, up to their bound.
  absl::Status status;
  std::uint32_t id = 1;
  for (; status.ok() && id < 4000; ++id) status = core_->Announce(id, Place());
  const auto details = GetErrorDetails(status);
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, Reason::kBrokerTimeout);
  EXPECT_TRUE(absl::StrContains(details->what, "does not read"));
  EXPECT_GT(id, 1000u);
  host.context.TryCancel();
  flood.join();
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

// What the plugin says is written on a thread of its own.
TEST_F(BrokerServiceTest, AThreadThatCantBeHadIsAnError) {
  grpc::Status status;
  {
    const goplugin::testing::ArmedCall armed("pthread_create", 1);
    HostStream host(*channel_);
    wire::ConnInfo info;
    EXPECT_FALSE(host.stream->Read(&info));
    status = host.stream->Finish();
  }
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(absl::StrContains(status.error_message(), "pids.max"))
      << status.error_message();
  // The plugin's own calls are told as well.
  const auto details = GetErrorDetails(core_->Announce(8, Place()));
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, Reason::kConnect);
  EXPECT_TRUE(absl::StrContains(absl::StrJoin(details->evidence, " "),
                                "goplugin-broker"));
  // Another stream may find one.
  HostStream next(*channel_);
  ASSERT_TRUE(next.stream->Write(AnnouncementOf(3, Place())));
  while (!core_->Await(3, kLong).ok()) {
  }
}

}  // namespace
}  // namespace goplugin::internal

#include "goplugin/internal/broker/broker_core.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "goplugin/internal/broker/conn_info.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "tests/support/harness/expect_error.h"

namespace goplugin::internal {
namespace {

using goplugin::testing::ExpectError;

// For what comes, and for what does not.
constexpr absl::Duration kLong = absl::Seconds(60);
constexpr absl::Duration kShort = absl::Milliseconds(20);

const Endpoint& Place() {
  static const auto* place = new Endpoint{Endpoint::Network::kUnix, "/run/b/1"};
  return *place;
}

class BrokerCoreTest : public ::testing::Test {
 protected:
  BrokerCoreTest() {
    BrokerSetup setup;
    setup.peer = "plugin";
    setup.warn = [this](std::string text) {
      warnings_.push_back(std::move(text));
    };
    core_ = std::make_unique<BrokerCore>(std::move(setup));
  }

  void Open() {
    core_->Open([this](const wire::ConnInfo& info) {
      if (refuses_) return absl::UnavailableError("refused");
      if (full_) return absl::ResourceExhaustedError("full");
      sent_.push_back(info);
      return absl::OkStatus();
    });
  }

  std::vector<std::string> warnings_;
  std::vector<wire::ConnInfo> sent_;
  bool refuses_ = false;
  bool full_ = false;
  std::unique_ptr<BrokerCore> core_;
};

TEST_F(BrokerCoreTest, IdsCountFromOne) {
  EXPECT_EQ(core_->NextId(), 1u);
  EXPECT_EQ(core_->NextId(), 2u);
}

TEST_F(BrokerCoreTest, WhatCameBeforeIsKept) {
  core_->Receive(AnnouncementOf(3, Place()));
  auto found = core_->Await(3, absl::ZeroDuration());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, Place());
}

TEST_F(BrokerCoreTest, AWaitEndsWithTheAnnouncement) {
  std::thread waiter([this] {
    auto found = core_->Await(3, kLong);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(*found, Place());
  });
  core_->Receive(AnnouncementOf(2, Place()));
  core_->Receive(AnnouncementOf(3, Place()));
  waiter.join();
}

TEST_F(BrokerCoreTest, TwoWaitsOfOneIdNeedTwoAnnouncements) {
  core_->Receive(AnnouncementOf(3, Place()));
  EXPECT_TRUE(core_->Await(3, kShort).ok());
  ExpectError(core_->Await(3, kShort).status(),
              {Reason::kBrokerTimeout, "announced no brokered connection 3",
               "dialled once"});
}

TEST_F(BrokerCoreTest, ATimeoutNamesWhatCameInstead) {
  for (std::uint32_t id = 10; id < 30; ++id) {
    core_->Receive(AnnouncementOf(id, Place()));
  }
  ExpectError(
      core_->Await(3, kShort).status(),
      {Reason::kBrokerTimeout,
       "not dialled: 10, 11, 12, 13, 14, 15, 16, 17, ...", "AcceptAndServe"});
}

TEST_F(BrokerCoreTest, AFloodIsToldAtDoublings) {
  constexpr int kFlood = 5000;
  for (int id = 1; id <= kFlood; ++id) {
    core_->Receive(AnnouncementOf(id, Place()));
  }
  // 3976 dropped: told at 1, 2, 4, ... 2048.
  ASSERT_EQ(warnings_.size(), 12u);
  EXPECT_TRUE(absl::StrContains(warnings_.back(), "2048 of them dropped"))
      << warnings_.back();
  EXPECT_TRUE(core_->Await(kFlood, kShort).ok());
  EXPECT_FALSE(core_->Await(1, kShort).ok());
}

TEST_F(BrokerCoreTest, AnnouncesOnTheStream) {
  Open();
  ASSERT_TRUE(core_->Announce(4, Place()).ok());
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_EQ(sent_[0].service_id(), 4u);
  EXPECT_EQ(sent_[0].network(), "unix");
  EXPECT_EQ(sent_[0].address(), "/run/b/1");
  ExpectError(core_->Announce(4, Place()),
              {Reason::kOptions, "4 is served already", "NextId"});
  core_->Withdraw(4);
  EXPECT_TRUE(core_->Announce(4, Place()).ok());
}

TEST_F(BrokerCoreTest, AnAnnouncementWaitsForTheStream) {
  std::thread announcer(
      [this] { EXPECT_TRUE(core_->Announce(4, Place()).ok()); });
  Open();
  announcer.join();
  EXPECT_EQ(sent_.size(), 1u);
}

TEST_F(BrokerCoreTest, AnIdThatCouldNotBeAnnouncedIsFreeAgain) {
  Open();
  core_->Close(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "none"));
  EXPECT_FALSE(core_->Announce(4, Place()).ok());
  Open();
  EXPECT_TRUE(core_->Announce(4, Place()).ok());
}

TEST_F(BrokerCoreTest, WithoutABrokerEverythingFailsAtOnce) {
  Open();
  core_->Close(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "unknown"));
  const goplugin::testing::ExpectedError expected = {
      Reason::kBrokerUnsupported, "UNIMPLEMENTED \"unknown\"", "both sides"};
  ExpectError(core_->Await(1, kLong).status(), expected);
  ExpectError(core_->Announce(1, Place()), expected);
}

TEST_F(BrokerCoreTest, ABrokenStreamIsExplainedByTheEndThatFollows) {
  Open();
  std::thread waiter([this] {
    ExpectError(core_->Await(1, kLong).status(),
                {Reason::kCrashed, "it died", ""});
  });
  core_->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut"));
  core_->End(MakeError(Reason::kCrashed, "it died", "see its log"));
  waiter.join();
}

TEST_F(BrokerCoreTest, ABrokenStreamOfOneThatLivesIsSaidAsSuch) {
  Open();
  core_->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut"));
  ExpectError(core_->Await(1, kLong).status(),
              {Reason::kConnect, "UNAVAILABLE \"cut\"", "restart the plugin"});
}

TEST_F(BrokerCoreTest, TheFirstEndCounts) {
  core_->End(MakeError(Reason::kShutDown, "one", "hint"));
  core_->End(MakeError(Reason::kCrashed, "two", "hint"));
  Open();
  core_->Receive(AnnouncementOf(1, Place()));
  ExpectError(core_->Await(1, kLong).status(), {Reason::kShutDown, "one", ""});
  ExpectError(core_->Announce(1, Place()), {Reason::kShutDown, "one", ""});
  ExpectError(core_->ExplainFailure(MakeError(Reason::kConnect, "x", "y")),
              {Reason::kShutDown, "one", ""});
  EXPECT_TRUE(sent_.empty());
}

TEST_F(BrokerCoreTest, KnocksAreRefused) {
  Open();
  wire::ConnInfo knock;
  knock.set_service_id(6);
  knock.mutable_knock()->set_knock(true);
  core_->Receive(knock);
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_EQ(sent_[0].service_id(), 6u);
  EXPECT_FALSE(sent_[0].knock().error().empty());
}

// As pyvider answers every announcement.
TEST_F(BrokerCoreTest, ARefusalIsAWarningAndNoAnnouncement) {
  Open();
  wire::ConnInfo refusal;
  refusal.set_service_id(6);
  refusal.mutable_knock()->set_knock(true);
  refusal.mutable_knock()->set_ack(true);
  refusal.mutable_knock()->set_error("Channel not found");
  core_->Receive(refusal);
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_TRUE(absl::StrContains(warnings_[0], "refuses brokered connection 6"));
  EXPECT_FALSE(core_->Await(6, kShort).ok());
  EXPECT_TRUE(sent_.empty());
}

TEST_F(BrokerCoreTest, AFloodOfRefusalsIsToldAtDoublings) {
  Open();
  for (int i = 0; i < 1000; ++i) {
    core_->Receive(AnswerTo(6, std::string(100000, 'e')));
  }
  ASSERT_EQ(warnings_.size(), 10u);
  EXPECT_TRUE(absl::StrContains(warnings_.back(), "512 such refusals"));
  EXPECT_LT(warnings_.back().size(), 512u);
}

TEST_F(BrokerCoreTest, AnAnswerWithoutRoomIsCountedAndTold) {
  full_ = true;
  Open();
  for (int i = 0; i < 1000; ++i) core_->Receive(KnockAt(7));
  ASSERT_EQ(warnings_.size(), 10u);
  EXPECT_TRUE(absl::StrContains(warnings_.back(), "512 knocks"));
}

TEST_F(BrokerCoreTest, AnAnnouncementWithoutRoomFails) {
  full_ = true;
  Open();
  const absl::Status status = core_->Announce(7, Place());
  const auto details = GetErrorDetails(status);
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, Reason::kBrokerTimeout);
  EXPECT_TRUE(absl::StrContains(details->what,
                                "announcement of brokered connection 7"));
  EXPECT_TRUE(absl::StrContains(details->hint, "try again"));
  // The id is free again.
  full_ = false;
  EXPECT_TRUE(core_->Announce(7, Place()).ok());
}

TEST_F(BrokerCoreTest, AnAddressThatIsTooLongIsNotAnnounced) {
  Open();
  const auto details = GetErrorDetails(
      core_->Announce(7, {Endpoint::Network::kUnix, std::string(100000, 'p')}));
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, Reason::kTransport);
  EXPECT_TRUE(sent_.empty());
}

TEST_F(BrokerCoreTest, BlockingIsNotForTheSdksThreads) {
  EXPECT_TRUE(core_->CheckMayBlock().ok());
  absl::Status status;
  absl::StatusOr<SdkThread> thread =
      StartSdkThread("goplugin-test", [&] { status = core_->CheckMayBlock(); });
  ASSERT_TRUE(thread.ok()) << thread.status();
  thread->Join();
  ExpectError(status,
              {Reason::kWrongThread, "blocking method", "thread of your own"});
}

}  // namespace
}  // namespace goplugin::internal

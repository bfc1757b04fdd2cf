// What goes wrong on a multiplexed connection: each fault ends in its reason,
// with evidence and a hint, or in a reset as the Go implementation answers it;
// and the host's other plugins notice nothing.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/broker.h"
#include "tests/integration/fault.h"
#include "tests/integration/live.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"

namespace goplugin::testing {
namespace {

using ::testing::Values;

constexpr absl::Duration kShort = absl::Milliseconds(200);

Command MuxPlugin(std::vector<std::string> args = {}) {
  Command command{RunfilePath("tests/support/mux/mux_plugin")};
  command.args = std::move(args);
  return command;
}

ClientOptions Multiplexed(Multiplex multiplex = Multiplex::kRequire) {
  ClientOptions options = ShortLadder();
  options.multiplex = multiplex;
  return options;
}

// ---- The handshake ----------------------------------------------------------

class MultiplexTest : public HarnessTest {
 protected:
  std::unique_ptr<Client> Launch(std::vector<std::string> args = {}) {
    ClientOptions options = Multiplexed();
    options.log_sink = log_;
    auto client = Client::Launch(MuxPlugin(std::move(args)), options);
    EXPECT_TRUE(client.ok()) << client.status().message();
    return client.ok() ? *std::move(client) : nullptr;
  }

  // What the plugin was told on the broker's stream, once `part` is in it.
  static bool Hears(const Client& client, const std::string& part) {
    return Eventually(
        [&] { return absl::StrContains(Get(client, "heard"), part); });
  }

  bool Warns(const std::string& part) const {
    return log_->WaitFor([&](const LogEntry& entry) {
      return entry.level == LogLevel::kWarn &&
             absl::StrContains(entry.message, part);
    });
  }

  const std::shared_ptr<RecordingLogSink> log_ =
      std::make_shared<RecordingLogSink>();
  AdderService adder_;
};

TEST_F(MultiplexTest, RequiredOfAPluginThatSaysNo) {
  auto client = Client::Launch(ServerPlugin({}), Multiplexed());
  ExpectError(client.status(),
              {Reason::kMuxUnsupported, "says that it does not multiplex",
               "Multiplex::kIfOffered"});
}

TEST_F(MultiplexTest, RequiredOfAPluginThatDoesNotSay) {
  auto client = Client::Launch(
      ServerPlugin({"--line={core}|{app}|{network}|{address}|grpc\\n"}),
      Multiplexed());
  ExpectError(client.status(), {Reason::kMuxUnsupported,
                                "does not say that it multiplexes", "1.6"});
}

TEST_F(MultiplexTest, IfOfferedGoesOnWithout) {
  auto client =
      Client::Launch(ServerPlugin({}), Multiplexed(Multiplex::kIfOffered));
  ASSERT_TRUE(client.ok()) << client.status().message();
  EXPECT_FALSE((*client)->multiplexed());
  EXPECT_EQ(Put(**client, "a", "b"), "");
}

TEST_F(MultiplexTest, NobodyCanReattach) {
  auto client = Launch();
  ExpectError(client->reattach_config().status(),
              {Reason::kOptions, "multiplexed connection", "kNever"});
  auto joined = Client::Attach("unix:/nonexistent", Multiplexed());
  ExpectError(joined.status(),
              {Reason::kMuxUnsupported, "runs already", "kNever"});
}

TEST_F(MultiplexTest, NothingToOutliveTheHostFor) {
  Command command = MuxPlugin();
  command.lifetime = Command::Lifetime::kOutlivesHost;
  ExpectError(Client::Launch(command, Multiplexed()).status(),
              {Reason::kOptions, "with multiplexing", "kNever"});
}

TEST_F(MultiplexTest, NobodyListens) {
  ClientOptions options = Multiplexed();
  options.start_timeout = absl::Seconds(20);
  const absl::Time start = absl::Now();
  auto client = Client::Launch(MuxPlugin({"--absent"}), options);
  EXPECT_LT(absl::Now() - start, absl::Seconds(6) + kGrace);
  ExpectError(client.status(), {Reason::kConnect, "/open", "listen before"});
}

TEST_F(MultiplexTest, NobodyAnswers) {
  ClientOptions options = Multiplexed();
  options.start_timeout = absl::Seconds(1);
  const absl::Time start = absl::Now();
  auto client = Client::Launch(MuxPlugin({"--deaf"}), options);
  EXPECT_LT(absl::Now() - start, options.start_timeout + kGrace);
  ExpectError(client.status(), {Reason::kConnect, "no connection to the plugin",
                                "does not answer"});
}

// ---- Frames -----------------------------------------------------------------

struct FrameFault {
  std::string name;
  std::string frames;  // in hex
  std::string evidence;
};

void PrintTo(const FrameFault& fault, std::ostream* out) { *out << fault.name; }

class FrameFaultTest : public MultiplexTest,
                       public ::testing::WithParamInterface<FrameFault> {};

TEST_P(FrameFaultTest, EndsTheConnectionAndNoOther) {
  auto other = LaunchBrokerPlugin(
      {Endpoint::Network::kUnix, TlsMode::kInsecure, /*multiplex=*/true});
  auto client = Launch();
  ASSERT_TRUE(client != nullptr && other != nullptr);
  Get(*client, absl::StrCat("frames:", GetParam().frames));
  grpc::Status call;
  ASSERT_TRUE(Eventually([&] {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(20));
    proto::GetResponse response;
    call = client->NewStub<proto::KV>()->Get(&context, {}, &response);
    return !call.ok();
  }));
  ExpectError(client->Explain(call),
              {Reason::kConnect, GetParam().evidence, "restart the plugin"});
  auto channel = client->broker().Dial(1, Within(absl::Seconds(30)));
  ExpectError(channel.status(),
              {Reason::kConnect, GetParam().evidence, "restart the plugin"});
  EXPECT_FALSE(client->exited());

  const std::uint32_t id = PluginAccepts(*other, 1).ids(0);
  auto works = other->broker().Dial(id);
  ASSERT_TRUE(works.ok()) << works.status().message();
  EXPECT_EQ(Sum(*works, 20, 22).value_or(0), 42);
}

// Version, type, flags, stream, length.
INSTANTIATE_TEST_SUITE_P(
    Frames, FrameFaultTest,
    Values(FrameFault{"Version", "010000000000000100000000", "version 1"},
           FrameFault{"Type", "000900000000000100000000", "unknown type 9"},
           FrameFault{"OddStream", "000100010000000700000000",
                      "opened stream 7, which is not its to open"},
           FrameFault{"StreamZero", "000100010000000000000000",
                      "opened stream 0"},
           FrameFault{"EndedTwice",
                      "000100040000000100000000000100040000000100000000",
                      "ended stream 1 twice"},
           FrameFault{"BeyondTheWindow", "000000000000000100100000",
                      "sent 1048576 bytes on stream 1"},
           FrameFault{"ProtocolError", "000300000000000000000001",
                      "protocol error of this side"},
           FrameFault{"InternalError", "000300000000000000000002",
                      "internal error of its own"},
           FrameFault{"UnknownGoAway", "000300000000000000000007",
                      "unknown code 7"}),
    [](const ::testing::TestParamInfo<FrameFault>& info) {
      return info.param.name;
    });

TEST_F(MultiplexTest, TheConnectionCloses) {
  auto client = Launch();
  Get(*client, "close");
  auto channel = client->broker().Dial(1, Within(absl::Seconds(30)));
  ExpectError(channel.status(), {Reason::kConnect, "the plugin closed it",
                                 "it can't be opened again"});
  EXPECT_FALSE(client->exited());
}

// As Go does to a host that stood still.
TEST_F(MultiplexTest, TheConnectionClosesBehindAPing) {
  auto client = Launch();
  Get(*client, "frames:000200010000000000000007");
  Get(*client, "close");
  auto channel = client->broker().Dial(1, Within(absl::Seconds(30)));
  ExpectError(channel.status(),
              {Reason::kConnect, "ping was not answered", "stood still"});
  EXPECT_TRUE(log_->WaitForMessage("ping was not answered"));
}

TEST_F(MultiplexTest, ADeathIsACrash) {
  auto client = Launch();
  grpc::ClientContext context;
  proto::GetRequest request;
  request.set_key("exit:3");
  proto::GetResponse response;
  const grpc::Status call =
      client->NewStub<proto::KV>()->Get(&context, request, &response);
  ExpectError(client->Explain(call), {Reason::kCrashed, "exit code 3", ""});
}

TEST_F(MultiplexTest, OddFramesThatAreHarmless) {
  auto client = Launch();
  for (const char* frames : {
           "0000000000000fff00000003616263",  // data for an unknown stream
           "000100000000000fffffffff",        // more window for one
           "0001000000000001ffffffff",        // more window than there is
           "000200020000000000000077",        // a pong that nobody asked for
           "00010002000000010000000000010002"
           "0000000100000000",          // accepted again and again
           "0001fff0000000010000000f",  // unknown flags
       }) {
    Get(*client, absl::StrCat("frames:", frames));
    EXPECT_EQ(Get(*client, "nothing"), "") << frames;
  }
}

// ---- Streams and knocks -----------------------------------------------------

TEST_F(MultiplexTest, AStreamWithoutAKnockIsReset) {
  auto client = Launch();
  auto server = client->broker().AcceptAndServe(1, {&adder_});
  ASSERT_TRUE(server.ok());
  Get(*client, "frames:000100010000000200000000");
  EXPECT_TRUE(Warns("opened a stream without a knock"));
  EXPECT_EQ(Get(*client, "nothing"), "");
}

TEST_F(MultiplexTest, AKnockThatNobodyAnswers) {
  auto client = Launch();
  auto channel = client->broker().Dial(7, Within(kShort));
  ExpectError(
      channel.status(),
      {Reason::kBrokerTimeout,
       "did not answer the knock for brokered connection 7", "AcceptAndServe"});
  ExpectError(channel.status(), {Reason::kBrokerTimeout, "waited ", ""});
  EXPECT_TRUE(Hears(*client, "knock 7"));
}

TEST_F(MultiplexTest, AnAnswerToAnotherKnock) {
  auto client = Launch();
  Get(*client, "answer:wrong");
  auto channel = client->broker().Dial(7, Within(kShort));
  ExpectError(channel.status(), {Reason::kBrokerTimeout, "connection 7", ""});
  EXPECT_TRUE(
      Warns("answers a knock that nobody sent, for brokered "
            "connection 8"));
  // The next dial is not led astray by it.
  Get(*client, "answer:ack");
  EXPECT_TRUE(client->broker().Dial(9, Within(absl::Seconds(20))).ok());
}

TEST_F(MultiplexTest, ALateAnswerTakesNobodysStream) {
  auto client = Launch();
  ASSERT_FALSE(client->broker().Dial(7, Within(kShort)).ok());
  ASSERT_TRUE(Hears(*client, "knock 7"));
  Get(*client, "ack:7");
  Get(*client, "answer:ack");
  EXPECT_TRUE(client->broker().Dial(8, Within(absl::Seconds(20))).ok());
  EXPECT_EQ(Get(*client, "nothing"), "");
}

// Of two streams that were promised at once, either may get the first.
TEST_F(MultiplexTest, AKnockThatALateAnswerCrossesIsRepeated) {
  auto client = Launch();
  ASSERT_FALSE(client->broker().Dial(7, Within(kShort)).ok());
  ASSERT_TRUE(Hears(*client, "knock 7"));
  std::thread plugin([&] {
    ASSERT_TRUE(Hears(*client, "knock 8"));
    Get(*client, "ack:7");
    Get(*client, "answer:ack");  // from the next knock on
    Get(*client, "ack:8");
  });
  EXPECT_TRUE(client->broker().Dial(8, Within(absl::Seconds(20))).ok());
  plugin.join();
  const std::vector<std::string> knocks =
      absl::StrSplit(Get(*client, "heard"), "knock 8");
  EXPECT_EQ(knocks.size() - 1, 2u);
}

TEST_F(MultiplexTest, ARefusedKnock) {
  auto client = Launch();
  std::thread refuser([&] {
    ASSERT_TRUE(Hears(*client, "knock 7"));
    Get(*client, "refuse:7");
  });
  auto channel = client->broker().Dial(7, Within(absl::Seconds(1)));
  refuser.join();
  ExpectError(channel.status(), {Reason::kBrokerTimeout, "connection 7",
                                 "must accept on the id"});
}

TEST_F(MultiplexTest, AnswersThatNobodyAskedFor) {
  auto client = Launch();
  Get(*client, "ack:1");
  Get(*client, "refuse:2");
  EXPECT_TRUE(Warns("answers a knock that nobody sent"));
  EXPECT_EQ(Get(*client, "nothing"), "");
}

TEST_F(MultiplexTest, AKnockBeforeTheServer) {
  auto client = Launch();
  Get(*client, "knock:5");
  auto server = client->broker().AcceptAndServe(5, {&adder_});
  ASSERT_TRUE(server.ok());
  EXPECT_TRUE(Hears(*client, "answer 5 "));
  EXPECT_FALSE(absl::StrContains(Get(*client, "heard"), "nobody"));
}

TEST_F(MultiplexTest, AKnockForNobodyIsRefusedInTime) {
  auto client = Launch();
  const absl::Time start = absl::Now();
  Get(*client, "knock:5");
  EXPECT_TRUE(Hears(*client, "answer 5 nobody accepts brokered connection 5"));
  // Its dialler gives up after 5 s.
  EXPECT_GE(absl::Now() - start, absl::Seconds(3));
}

TEST_F(MultiplexTest, TwoKnocksAtOnceForNobody) {
  auto client = Launch();
  Get(*client, "knock:5");
  Get(*client, "knock:5");
  EXPECT_TRUE(Hears(*client, "answer 5 too many knocks"));
}

TEST_F(MultiplexTest, KnocksWithoutStreamsHaveABound) {
  auto client = Launch();
  auto server = client->broker().AcceptAndServe(5, {&adder_});
  ASSERT_TRUE(server.ok());
  for (int i = 0; i < 300; ++i) Get(*client, "knock:5");
  EXPECT_TRUE(Hears(*client, "answer 5 too many knocks"));
  EXPECT_EQ(Get(*client, "nothing"), "");
}

}  // namespace
}  // namespace goplugin::testing

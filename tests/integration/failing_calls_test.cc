// Every call of the system's that the SDK makes fails once: what comes of it is
// an error or none at all, within its deadline, and nothing is left.

#include "tests/support/failing_calls/failing_calls.h"

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "goplugin/error.h"
#include "tests/integration/live.h"
#include "tests/support/broker/adder.grpc.pb.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

enum class Life { kSimple, kBroker, kMultiplexed };

// More than all the deadlines of a life.
constexpr absl::Duration kLongestLife = absl::Seconds(10);

// The message of an error, which must be one of the SDK's.
std::string Told(const absl::Status& status) {
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  EXPECT_TRUE(details.has_value()) << status;
  EXPECT_TRUE(!details.has_value() || !details->hint.empty()) << status;
  return absl::StrCat(status.message(), "\n");
}

std::string ToldByThePlugin(const broker::Outcome& outcome) {
  return outcome.reason().empty() ? "" : absl::StrCat(outcome.message(), "\n");
}

// Without these a directory can't be removed, or must not be.
bool KeepsFiles(absl::string_view function) {
  for (const char* name : {"lstat", "fstat", "rmdir", "unlink", "unlinkat"}) {
    if (function == name) return true;
  }
  return false;
}

class FailingCallsTest
    : public HarnessTest,
      public ::testing::WithParamInterface<std::tuple<Life, std::string>> {
 protected:
  // Those that clients which have ended have left.
  void RemoveFiles() {
    for (const auto& file : std::filesystem::directory_iterator(temp())) {
      std::filesystem::remove_all(file.path());
    }
  }

  // A plugin's whole life. Says what went wrong.
  std::string Live() {
    const Life life = std::get<0>(GetParam());
    ClientOptions options = ShortLadder();
    // So many lives are bound to meet a busy moment of the machine.
    options.shutdown.exit_timeout = absl::Seconds(2);
    options.start_timeout = absl::Seconds(2);
    options.log_sink = std::make_shared<RecordingLogSink>();
    options.stdio_sink = std::make_shared<RecordingStdioSink>();
    if (life == Life::kMultiplexed) options.multiplex = Multiplex::kRequire;
    Command command =
        life == Life::kSimple
            ? ServerPlugin({})
            : Command{RunfilePath("tests/support/broker/broker_plugin")};
    auto client = Client::Launch(std::move(command), std::move(options));
    if (!client.ok()) return Told(client.status());
    std::string told;
    if (life == Life::kSimple) {
      Put(**client, "key", "value");
    } else {
      told = Dial(**client) + Accept(**client);
    }
    const absl::Status end = (*client)->Shutdown();
    if (!end.ok()) told += Told(end);
    return told;
  }

 private:
  // A call of the plugin's, for which it may need what has failed.
  template <typename Request>
  static broker::Outcome Ask(Client& client,
                             grpc::Status (broker::Control::Stub::*method)(
                                 grpc::ClientContext*, const Request&,
                                 broker::Outcome*),
                             const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(2));
    broker::Outcome outcome;
    const grpc::Status status =
        (client.NewStub<broker::Control>().get()->*method)(&context, request,
                                                           &outcome);
    if (!status.ok()) {
      outcome.set_reason("call");
      outcome.set_message(status.error_message());
    }
    return outcome;
  }

  static std::string Dial(Client& client) {
    broker::AcceptRequest request;
    request.set_count(1);
    const broker::Outcome accepted =
        Ask(client, &broker::Control::Stub::Accept, request);
    if (accepted.ids().empty()) return ToldByThePlugin(accepted);
    const auto channel =
        client.broker().Dial(accepted.ids(0), Within(absl::Seconds(1)));
    if (!channel.ok()) return Told(channel.status());
    const absl::StatusOr<std::int64_t> sum = Sum(*channel, 1, 2);
    return sum.ok() ? "" : absl::StrCat(sum.status().message(), "\n");
  }

  std::string Accept(Client& client) {
    broker::DialRequest request;
    request.add_ids(client.broker().NextId());
    request.set_timeout_ms(1000);
    const auto server =
        client.broker().AcceptAndServe(request.ids(0), {&adder_});
    if (!server.ok()) return Told(server.status());
    return ToldByThePlugin(Ask(client, &broker::Control::Stub::Dial, request));
  }

  AdderService adder_;
};

TEST_P(FailingCallsTest, EachOfThem) {
  const std::string& function = std::get<1>(GetParam());
  // The SDK's threads and gRPC's are there before.
  auto other = MustLaunch(ServerPlugin({}));
  ASSERT_NE(other, nullptr);
  Arm(function, 0);
  EXPECT_EQ(Live(), "");
  const int calls = Disarm();
  for (int i = 1; i <= calls; ++i) {
    const absl::Time begin = absl::Now();
    std::string told;
    {
      const ArmedCall armed(function, i);
      told = Live();
    }
    const absl::Duration took = absl::Now() - begin;
    std::printf("%s %d of %d, %s: %s\n", function.c_str(), i, calls,
                absl::FormatDuration(took).c_str(), told.c_str());
    EXPECT_LT(took, kLongestLife + kGrace);
    EXPECT_EQ(other->Ping(), absl::OkStatus());
  }
  other.reset();
  if (KeepsFiles(function)) RemoveFiles();
}

std::string Name(
    const ::testing::TestParamInfo<FailingCallsTest::ParamType>& info) {
  const Life life = std::get<0>(info.param);
  return absl::StrCat(life == Life::kSimple   ? "Simple"
                      : life == Life::kBroker ? "Broker"
                                              : "Multiplexed",
                      "_", std::get<1>(info.param));
}

INSTANTIATE_TEST_SUITE_P(
    Lives, FailingCallsTest,
    ::testing::Combine(::testing::Values(Life::kSimple, Life::kBroker,
                                         Life::kMultiplexed),
                       ::testing::ValuesIn(FailingCalls())),
    Name);

}  // namespace
}  // namespace goplugin::testing
